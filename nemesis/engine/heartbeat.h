#pragma once
// Heartbeat: tells the nodes on which faults are in force that the controller is alive, twice a second, so that their
// watchdogs (node_state.h) keep still. When the controller dies, the beats stop, and nothing has to be done for it.
//
// A beat costs both ends some milliseconds of CPU. From 25 nodes on each is told less often, 50 beats a second in all,
// and the watchdogs wait for longer.
//
// One thread per node on which a fault ever was in force, so that a slow node delays no other node's beat; each uses
// one connection of its node. Thread-safety: hold() and release() from any thread.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "harness/interfaces/target.h"

namespace ordeal {

// From one beat for a node to its next, in a cluster of so many nodes.
[[nodiscard]] std::chrono::milliseconds beat_interval(std::size_t nodes);
// After how much silence the watchdogs there fire: as wanted, but not before three beats were missed.
[[nodiscard]] int dead_man_limit_s(int wanted_s, std::size_t nodes);

class Heartbeat {
 public:
  // Borrows the cluster. `run` is the first half of the faults' ids.
  Heartbeat(Cluster& cluster, std::string run);
  // Ends the threads; blocks for as long as a beat under way takes, at most its time-out of two seconds.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // One more fault, or one less, is in force on each of the nodes (indices).
  void hold(const std::vector<std::size_t>& nodes);
  void release(const std::vector<std::size_t>& nodes);
  // Whether a beat that was sent after `since` did not find the fault of this id on the node: somebody has undone it.
  [[nodiscard]] bool missed(std::size_t node, const std::string& id, std::chrono::steady_clock::time_point since) const;

 private:
  struct Answer {
    std::chrono::steady_clock::time_point sent;
    std::set<std::string> ids;
  };
  void beat(std::size_t node, const std::stop_token& stop);

  Cluster& cluster_;
  const std::string run_;
  const std::chrono::milliseconds interval_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::size_t, int> held_;              // guarded by mutex_
  std::map<std::size_t, Answer> answers_;        // guarded by mutex_; the last of each node
  std::map<std::size_t, std::jthread> threads_;  // guarded by mutex_
};

}  // namespace ordeal
