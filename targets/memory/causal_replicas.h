#pragma once
// CausalReplicas: registers of the memory target on three replicas that are causally consistent, and no more.
//
// A client has one replica, and reads, writes and compares there at once. An update travels to the other replicas for a
// random time up to the lag, and is applied when all that it depends on has been: what its replica had applied before
// it (causal broadcast by vector clocks; Birman, Schiper and Stephenson, 1991). Of two values of a key the one with the
// greater Lamport timestamp stays, everywhere the same. So it is causally convergent (causal-ccv): visibility is
// transitive and arbitration, the timestamps, extends it. It is not sequential: two clients of two replicas can each
// write one key and miss the other's.
//
// Bugs: reorder ignores dependencies: an update is applied as soon as it arrives, before what it depends on, and
// replaces whatever is there; lost-write: an update is acknowledged and not made; stale-read: a read returns what its
// replica had before the last update.
//
// Thread-safety: all methods from any thread.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class CausalReplicas {
 public:
  using Moment = std::chrono::nanoseconds;
  CausalReplicas(Faultiness faults, Moment lag, std::function<Moment()> now)
      : faults_(faults), lag_(lag), now_(std::move(now)) {}

  // `read`, `write` and `cas` of a register.
  [[nodiscard]] Completion apply(const std::string& key, const Operation& operation, std::uint64_t client, Rng& rng);

 private:
  static constexpr std::size_t kReplicas = 3;
  using Clock = std::array<std::uint64_t, kReplicas>;   // how many updates of each replica have been applied
  using Stamp = std::pair<std::uint64_t, std::size_t>;  // Lamport timestamp, replica

  struct Update {
    std::string key;
    Value value;
    Stamp stamp;
    Clock before{};  // what its replica had applied
    bool careless = false;
  };
  struct OnTheWay {
    std::shared_ptr<const Update> update;
    Moment arrives{0};
  };
  struct Cell {
    Value value, previous;
    Stamp stamp{0, 0};
  };
  struct Replica {
    std::map<std::string, Cell> cells;
    Clock applied{};
    std::uint64_t lamport = 0;
    std::vector<OnTheWay> coming;
  };

  // Applies what has arrived and may be applied.
  void deliver(Replica& replica);
  static void apply(Replica& replica, const Update& update);
  void write(std::size_t at, const std::string& key, const Value& value, Rng& rng);

  const Faultiness faults_;
  const Moment lag_;
  const std::function<Moment()> now_;
  std::mutex mutex_;  // guards replicas_
  std::array<Replica, kReplicas> replicas_;
};

}  // namespace ordeal::memory
