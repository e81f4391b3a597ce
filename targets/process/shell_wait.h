#pragma once
// ShellWait: until a system that is described by commands serves, or an error that says why not: what process.ready
// last said of its own accord, not that the last attempt was cut off, and what its log ends with.
//
// A server that ends right after its first start is told at once. One that has served before may be started again by
// somebody (a supervisor with a pause), so that is waited for. Thread-safety: as Target.

#include <atomic>
#include <functional>
#include <vector>

#include "targets/process/shell_commands.h"

namespace ordeal {

class ShellWait {
 public:
  // Borrows all; `appears_s`: process.appear-time.
  ShellWait(Cluster& cluster, const ShellCommands& commands, double appears_s);

  // The node begins anew: its next start is its first.
  void forget(const Node& node) { served_[commands_.index_of(node)] = false; }
  // All nodes, at once. The first that has ended ends the wait for the others.
  Result<void> all(Deadline deadline);
  Result<void> one(Node& node, Deadline deadline);
  // The same for any command that is repeated until it succeeds: process.setup, when servers need it to serve.
  Result<void> until_ok(Node& node, const char* key, Deadline deadline);

 private:
  struct Wait;
  Result<void> wait(const Wait& how);
  Result<void> stay(const Wait& how);
  Result<void> served(const Wait& how);
  Error ended(const Wait& how, const std::string& last) const;

  Cluster& cluster_;
  const ShellCommands& commands_;
  const double appears_s_;
  std::vector<std::atomic<bool>> served_;  // by node: since its data were wiped
};

}  // namespace ordeal
