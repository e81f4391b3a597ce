#pragma once
// EventLog: logs of events in the memory target, and the state built from each a few milliseconds later.
//
//   event-log    `append` {key, event}: [position, event]; `read` {key, token or nil}: [position, events] of the read
//                model, caught up with the log when it is behind the token; `read-at` {key, position}; `replay` {key}:
//                of the log itself. stale-read: a token is ignored, and the last event of the model is not there yet;
//                lost-write: an event is acknowledged and not kept; duplicate: the model has an event twice; reorder:
//                it has the last two events in the wrong order
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

class EventLog {
 public:
  EventLog(Faultiness faults, std::function<std::chrono::nanoseconds()> now) : faults_(faults), now_(std::move(now)) {}
  [[nodiscard]] Completion apply(const Operation& operation, Rng& rng);

 private:
  struct Event {
    Value value;
    std::chrono::nanoseconds appended;
  };
  using Log = std::vector<Event>;  // the event at place i has position i + 1

  Completion append(Log& log, const Value& event, Rng& rng);
  Completion read(const Log& log, const Operation& operation, Rng& rng);

  const Faultiness faults_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::mutex mutex_;           // guards the one below
  std::map<Value, Log> logs_;  // by key
};

}  // namespace ordeal::memory
