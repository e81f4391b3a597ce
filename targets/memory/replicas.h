#pragma once
// Replicas: replicated data types of the memory target: three replicas, of which each client has one. What one does
// arrives at the others a few milliseconds later.
//
//   or-set       `add`, `remove`, `read`: an observed-remove set. lost-write: an add or remove is acknowledged and not
//                made; stale-read: a replica shows only what was done there; duplicate: an element is shown twice;
//                write-skew: when a remove arrives, it takes along what had been added there in the meantime
//   lww-map      `put` {key, [timestamp, value]}, `remove` {key, timestamp}, `read` {key}: the greatest timestamp wins,
//                between equal ones the greater value. lost-write, stale-read: the same; reorder: a replica keeps what
//                arrived last; write-skew: a remove leaves no trace, so that an older write is back
//
// Thread-safety: all methods from any thread.

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class Replicas {
 public:
  Replicas(Faultiness faults, std::function<std::chrono::nanoseconds()> now) : faults_(faults), now_(std::move(now)) {}
  [[nodiscard]] Completion set(const Operation& operation, std::uint64_t client, Rng& rng);
  [[nodiscard]] Completion map(const Operation& operation, std::uint64_t client, Rng& rng);

 private:
  using Moment = std::chrono::nanoseconds;
  // Something done at a replica.
  struct Done {
    std::size_t replica = 0;
    Moment at{0};
    // Whether it has arrived at another replica, or is that one's own.
    [[nodiscard]] bool arrived(std::size_t there, Moment now) const;
  };
  // One add of an element, and the removals that take it away.
  struct Tag : Done {
    std::vector<Done> removals;
  };
  struct Write : Done {
    std::int64_t timestamp = 0;
    Value value;              // nil: removed
    bool by_arrival = false;  // the bug reorder: it wins over all that arrived before it
  };
  using Tags = std::map<Value, std::vector<Tag>>;  // by element

  Completion read_set(Tags& tags, Done here, Rng& rng);
  Completion write(std::vector<Write>& writes, Write one, Rng& rng) const;
  [[nodiscard]] static Value winner(const std::vector<Write>& writes, Done here, bool only_own);

  const Faultiness faults_;
  const std::function<Moment()> now_;
  std::mutex mutex_;                                // guards all below
  std::map<Value, Tags> sets_;                      // by key
  std::map<std::pair<Value, Value>, Done> greedy_;  // write-skew: the last remove of a key's element
  std::map<Value, std::vector<Write>> maps_;        // by key
};

}  // namespace ordeal::memory
