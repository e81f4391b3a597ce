#pragma once
// LogMembership: members leave and come back while the cluster works, over the API of ordeal-log.
//
// Only the leader changes members; the nodes are asked one after the other until one of them does it. A change is over
// when a linearizable look at the members shows it. A node that comes back has nothing on its disk, gets an id that
// nobody had, and learns as a learner until it is up to date. Thread-safety: all methods from any thread.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"
#include "targets/log/log_api.h"
#include "targets/log/log_scripts.h"

namespace ordeal {

class LogMembership final : public Target::Membership {
 public:
  using Erase = std::function<Result<void>(Node&)>;  // ends the node's processes and deletes its data
  using RejoinScript = std::function<std::string(const Node&)>;
  // Borrows both, which stay as they are.
  LogMembership(const Options& options, const std::vector<LogMember>& members, Erase erase, RejoinScript rejoin_script);

  Result<std::vector<Member>> members(Node& asked, Deadline deadline) override;
  Result<void> remove(Node& node, Deadline deadline) override;
  Result<void> add(Node& node, Deadline deadline) override;
  std::string rejoin_script(const Node& node) override { return rejoin_script_(node); }

  [[nodiscard]] bool is_out(std::size_t node) const;
  // It left at some time: it enters by --join when it is started on nothing.
  [[nodiscard]] bool joins(std::size_t node) const;

 private:
  struct Entry {
    std::int64_t id = 0;
    std::string peer;
    bool voter = false;
  };
  struct Seat {
    bool out = false;
    bool joins = false;
  };
  [[nodiscard]] std::size_t index_of(const Node& node) const;
  [[nodiscard]] std::string url(std::size_t node) const;
  [[nodiscard]] LogAnswer<std::vector<Entry>> look(std::size_t asked, const char* consistency, Deadline deadline) const;
  // Until the node is (not) a member.
  [[nodiscard]] Result<void> settle(std::size_t node, bool wanted, Deadline deadline);

  const Options& options_;
  const std::vector<LogMember>& members_;
  const Erase erase_;
  const RejoinScript rejoin_script_;
  mutable std::mutex mutex_;  // guards seats_
  std::vector<Seat> seats_;
};

}  // namespace ordeal
