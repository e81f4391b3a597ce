#pragma once
// GuardedTarget: the target as faults see it: no two calls for the same node at once, which Target demands and lanes
// that know nothing of each other could not grant.
//
// Not guarded are waits, which change nothing and may take long, what is only asked for (scripts, files), and the
// client half. A test reads harness/interfaces/target.h to see that every method is here. Thread-safety: that is what
// it is for.

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "harness/interfaces/forwarding_target.h"

namespace ordeal {

class GuardedTarget final : public ForwardingTarget {
 public:
  // Borrows both.
  GuardedTarget(Target& target, const Cluster& cluster);

  Result<void> start(Node& node) override;
  Result<void> stop(Node& node) override;
  Installation* installation() override { return to_.installation() == nullptr ? nullptr : &installation_; }
  Processes* processes() override { return to_.processes() == nullptr ? nullptr : &processes_; }
  Roles* roles() override { return to_.roles() == nullptr ? nullptr : &roles_; }
  Membership* membership() override { return to_.membership() == nullptr ? nullptr : &membership_; }
  Versions* versions() override { return to_.versions() == nullptr ? nullptr : &versions_; }

 private:
  class GuardedInstallation final : public Installation {
   public:
    explicit GuardedInstallation(GuardedTarget& owner) : owner_(owner) {}
    Result<void> install(Node& node) override;
    Result<void> wipe(Node& node) override;
    Result<Value> describe(Node& node) override;
    StartOrder start_order() const override { return owner_.to_.installation()->start_order(); }
    Result<void> found(Deadline deadline) override { return owner_.to_.installation()->found(deadline); }

   private:
    GuardedTarget& owner_;
  };
  class GuardedProcesses final : public Processes {
   public:
    explicit GuardedProcesses(GuardedTarget& owner) : owner_(owner) {}
    Result<void> kill(Node& node) override;
    Result<void> pause(Node& node) override;
    Result<void> resume(Node& node) override;
    Result<std::vector<int>> pids(Node& node) override;
    std::string start_script(const Node& node) override { return owner_.to_.processes()->start_script(node); }

   private:
    GuardedTarget& owner_;
  };
  class GuardedRoles final : public Roles {
   public:
    explicit GuardedRoles(GuardedTarget& owner) : owner_(owner) {}
    Result<std::vector<std::size_t>> primaries(Deadline deadline) override;
    double election_timeout_s() const override { return owner_.to_.roles()->election_timeout_s(); }

   private:
    GuardedTarget& owner_;
  };
  class GuardedMembership final : public Membership {
   public:
    explicit GuardedMembership(GuardedTarget& owner) : owner_(owner) {}
    Result<std::vector<Member>> members(Node& asked, Deadline deadline) override {
      return owner_.to_.membership()->members(asked, deadline);
    }
    Result<void> remove(Node& node, Deadline deadline) override;
    Result<void> add(Node& node, Deadline deadline) override;
    std::string rejoin_script(const Node& node) override { return owner_.to_.membership()->rejoin_script(node); }

   private:
    GuardedTarget& owner_;
  };
  class GuardedVersions final : public Versions {
   public:
    explicit GuardedVersions(GuardedTarget& owner) : owner_(owner) {}
    std::string problem() const override { return owner_.to_.versions()->problem(); }
    void choose(Node& node, Version version) override;
    Result<Running> running(Node& node, Deadline deadline) override;

   private:
    GuardedTarget& owner_;
  };

  template <class Call>
  auto locked(Node& node, Call call) -> decltype(call());

  std::map<std::string, std::timed_mutex, std::less<>> nodes_;  // by name: a lane may have its own way to a node
  std::timed_mutex roles_mutex_;
  GuardedInstallation installation_{*this};
  GuardedProcesses processes_{*this};
  GuardedRoles roles_{*this};
  GuardedMembership membership_{*this};
  GuardedVersions versions_{*this};
};

}  // namespace ordeal
