#pragma once
// HeldCluster: a cluster to whose nodes commands can be sent ahead and held back there: the shell runs already and
// waits for one byte on its open channel. From the moment at which they are let go to their effect it is then one
// network latency and what the command itself takes, not a channel, a login shell and a process more.
//
//   held.hold();
//   std::jthread injecting([&] { done = injection.inject(deadline); });   // its first command on each node waits there
//   held.await_held(3, soon);
//   … until a client has an operation under way …
//   held.release();
//
// All other commands, and all when nothing is held, go through as they are. Thread-safety: all methods from any thread.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "harness/interfaces/target.h"

namespace ordeal {

class HeldCluster {
 public:
  // Borrows the cluster.
  explicit HeldCluster(Cluster& cluster);
  HeldCluster(const HeldCluster&) = delete;
  HeldCluster& operator=(const HeldCluster&) = delete;

  [[nodiscard]] Cluster& cluster() { return cluster_; }

  // From now on the first command to each node waits there, for as long as its time-out allows.
  void hold();
  // Until so many commands wait on their nodes, or `deadline`. How many do.
  std::size_t await_held(std::size_t nodes, Deadline deadline);
  // Lets them go on.
  void release();
  // Lets them end without having done anything; their exit code is 75 (EX_TEMPFAIL), which is an error.
  void give_up();

 private:
  class HeldNode;
  enum class Gate { open, closed, given_up };
  bool claim(const std::string& node);  // whether its next command is to be held
  bool await_release(std::chrono::milliseconds patience);

  Cluster cluster_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Gate gate_ = Gate::open;
  std::set<std::string> claimed_;  // nodes
  std::size_t waiting_ = 0;
};

}  // namespace ordeal
