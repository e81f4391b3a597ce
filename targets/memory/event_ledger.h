#pragma once
// EventLedger: accounts as streams of events in the memory target, and a read model that follows a few milliseconds
// later.
//
//   ledger       by account `deposit`, `withdraw` {id, amount}: the version of the event, a withdrawal refused when the
//                events add up to less; `balance`, `model` (what is older than a few milliseconds), `replay`: [version,
//                balance]; `events`: [[version, id, amount] …]. stale-read: balance and events are those before the
//                last event; lost-write: an event is acknowledged and not kept; duplicate: it is there twice;
//                write-skew: a withdrawal looks, lets go, and is appended without another look; reorder: the model has
//                the last two events in the wrong order, and one of them not yet
//
// Thread-safety: all methods from any thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class EventLedger {
 public:
  EventLedger(Faultiness faults, std::function<std::chrono::nanoseconds()> now)
      : faults_(faults), now_(std::move(now)) {}
  [[nodiscard]] Completion apply(const Operation& operation, Rng& rng);

 private:
  struct Event {
    Value id;
    std::int64_t amount = 0;  // of a withdrawal below 0
    std::chrono::nanoseconds appended{0};
  };
  using Stream = std::vector<Event>;  // the event at place i has version i + 1

  Completion append(const Operation& operation, Rng& rng);
  Completion read(const Stream& stream, const Operation& operation, Rng& rng);

  const Faultiness faults_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::mutex mutex_;                 // guards the one below
  std::map<Value, Stream> streams_;  // by account
};

}  // namespace ordeal::memory
