#pragma once
// Ownership: nodes that were not made for a run belong to one run at a time.
//
// Two controllers on one inventory would wipe each other's data, and both accuse a sound system. So before anything is
// touched each node gets a lease, a file in kOwnerDirectory, that says who holds it. The directory is made by mkdir(2),
// which one of two wins, and is renewed every few seconds. What was not renewed for kLease, what is of another boot of
// the node, and what a controller on this machine left that is gone, is stale: it is taken over, by rename(2), which
// one of two wins. Time is the node's uptime, which no clock fault changes.
//
// Not a protection against somebody malicious on the node, who can always keep it from others.
// Thread-safety: one thread; the renewal has one of its own.

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "base/error.h"
#include "harness/control/cluster.h"

namespace ordeal {

inline constexpr const char* kOwnerDirectory = "/tmp/.ordeal-owner";
inline constexpr std::chrono::seconds kLease{30};

class Ownership {
 public:
  // Of all nodes, or of none. `run`: what others are told, the run's directory for instance. Borrows the cluster.
  // Errors: target, which names the holder; those of Node::run.
  [[nodiscard]] static Result<std::unique_ptr<Ownership>> take(Cluster& cluster, const std::string& run);
  // Gives back what it still holds; blocks for as long as the slowest node takes, ten seconds at most.
  ~Ownership();
  Ownership(const Ownership&) = delete;
  Ownership& operator=(const Ownership&) = delete;

  // That somebody else has a node by now: this run could not renew its lease for too long. Nothing: not so.
  [[nodiscard]] std::optional<Error> lost() const;

 private:
  Ownership(Cluster& cluster, const std::string& run);
  Result<void> claim(Node& node);
  void renew(const std::stop_token& stop);
  void give_back();

  Cluster& cluster_;
  const std::string token_;
  const std::string holder_;
  mutable std::mutex mutex_;
  std::optional<Error> lost_;      // guarded by mutex_
  std::set<const Node*> claimed_;  // guarded by mutex_; those to give back
  std::jthread renewal_;
};

}  // namespace ordeal
