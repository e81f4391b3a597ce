#pragma once
// ShellMembership: members that leave and join while the cluster works, by the commands process.members, process.leave
// and process.join.
//
// Each command runs on the node that it is about and asks another member, whose name and address are in PEER and
// PEER_ADDRESS, so that a node can ask to be let in again by itself when no controller is left. Whether a change has
// come about is what process.members of another member says, not the exit code of the change: a request whose answer
// was lost is looked after before it is repeated, with another member.
//
// process.members prints a line for each member: `ID NODE [joined|announced]`. NODE is a node's name or its address,
// with or without a port; ID is the system's own name for the member, or `-` where it has none beside the node's: then
// the times that the node was seen to be out take its place.
//
// Thread-safety: all methods from any thread.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "targets/process/shell_commands.h"

namespace ordeal {

class ShellMembership final : public Target::Membership {
 public:
  using Erase = std::function<Result<void>(Node&)>;  // ends the node's processes and deletes its data
  // The script that starts a node that has been let in again.
  using StartJoining = std::function<std::string(const Node&)>;

  // Borrows cluster and commands.
  ShellMembership(Cluster& cluster, const ShellCommands& commands, Erase erase, StartJoining start_joining);
  // Whether all three commands are given. Errors: usage, when only some are.
  [[nodiscard]] static Result<bool> wanted(const Options& options);

  Result<std::vector<Member>> members(Node& asked, Deadline deadline) override;
  Result<void> remove(Node& node, Deadline deadline) override;
  Result<void> add(Node& node, Deadline deadline) override;
  std::string rejoin_script(const Node& node) override;

  [[nodiscard]] bool is_out(const Node& node) const;
  // Whether process.start is to let it join a cluster that runs, rather than make one.
  [[nodiscard]] bool joins(const Node& node) const;

 private:
  struct Seat {
    bool out = false;
    bool joins = false;  // it was out once
    int times_out = 0;
  };
  [[nodiscard]] Result<std::vector<Member>> parse(const std::string& printed, const std::string& who) const;
  // The name of the node that the word means; empty: none.
  [[nodiscard]] std::string node_of(const std::string& word) const;
  [[nodiscard]] Result<std::vector<Member>> ask(Node& from, const Node& peer, Deadline deadline) const;
  [[nodiscard]] std::string kill_by_pids() const;
  // Until another member does (not) list it.
  Result<void> settle(Node& node, bool wanted, Deadline deadline);

  Cluster& cluster_;
  const ShellCommands& commands_;
  const Erase erase_;
  const StartJoining start_joining_;
  mutable std::mutex mutex_;  // guards seats_
  std::vector<Seat> seats_;   // by node
};

}  // namespace ordeal
