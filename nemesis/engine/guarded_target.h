#pragma once
// GuardedTarget: the target as faults see it: no two calls for the same node at once, which Target demands and lanes
// that know nothing of each other could not grant. A start script is only asked for, and needs no guard. Thread-safety:
// that is what it is for.

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "harness/interfaces/target.h"

namespace ordeal {

class GuardedTarget final : public Target {
 public:
  // Borrows both.
  GuardedTarget(Target& target, const Cluster& cluster);

  std::string_view name() const override { return target_.name(); }
  Result<std::unique_ptr<Client>> client(std::size_t node) override { return target_.client(node); }
  Result<void> start(Node& node) override;
  Result<void> stop(Node& node) override;
  // They change nothing and may take long: not guarded.
  Result<void> await_ready(Deadline deadline) override { return target_.await_ready(deadline); }
  Result<void> await_node(Node& node, Deadline deadline) override { return target_.await_node(node, deadline); }
  std::vector<std::string> log_files(const Node& node) const override { return target_.log_files(node); }
  std::vector<std::string> data_directories(const Node& node) const override { return target_.data_directories(node); }
  Processes* processes() override { return target_.processes() == nullptr ? nullptr : &processes_; }
  Roles* roles() override { return target_.roles() == nullptr ? nullptr : &roles_; }
  Membership* membership() override { return target_.membership() == nullptr ? nullptr : &membership_; }
  Versions* versions() override { return target_.versions() == nullptr ? nullptr : &versions_; }

 private:
  class GuardedProcesses final : public Processes {
   public:
    explicit GuardedProcesses(GuardedTarget& owner) : owner_(owner) {}
    Result<void> kill(Node& node) override;
    Result<void> pause(Node& node) override;
    Result<void> resume(Node& node) override;
    Result<std::vector<int>> pids(Node& node) override;
    std::string start_script(const Node& node) override { return owner_.target_.processes()->start_script(node); }

   private:
    GuardedTarget& owner_;
  };
  class GuardedRoles final : public Roles {
   public:
    explicit GuardedRoles(GuardedTarget& owner) : owner_(owner) {}
    Result<std::vector<std::size_t>> primaries(Deadline deadline) override;
    double election_timeout_s() const override { return owner_.target_.roles()->election_timeout_s(); }

   private:
    GuardedTarget& owner_;
  };

  class GuardedMembership final : public Membership {
   public:
    explicit GuardedMembership(GuardedTarget& owner) : owner_(owner) {}
    Result<std::vector<Member>> members(Node& asked, Deadline deadline) override {
      return owner_.target_.membership()->members(asked, deadline);
    }
    Result<void> remove(Node& node, Deadline deadline) override;
    Result<void> add(Node& node, Deadline deadline) override;
    std::string rejoin_script(const Node& node) override { return owner_.target_.membership()->rejoin_script(node); }

   private:
    GuardedTarget& owner_;
  };
  class GuardedVersions final : public Versions {
   public:
    explicit GuardedVersions(GuardedTarget& owner) : owner_(owner) {}
    std::string problem() const override { return owner_.target_.versions()->problem(); }
    void choose(Node& node, Version version) override;
    Result<Running> running(Node& node, Deadline deadline) override;

   private:
    GuardedTarget& owner_;
  };

  template <class Call>
  auto locked(Node& node, Call call) -> decltype(call());

  Target& target_;
  std::map<std::string, std::timed_mutex, std::less<>> nodes_;  // by name: a lane may have its own way to a node
  std::timed_mutex roles_mutex_;
  GuardedProcesses processes_{*this};
  GuardedRoles roles_{*this};
  GuardedMembership membership_{*this};
  GuardedVersions versions_{*this};
};

}  // namespace ordeal
