#include "targets/memory/event_log.h"

#include <algorithm>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {
namespace {

constexpr std::chrono::milliseconds kLag(3);

}  // namespace

Completion EventLog::apply(const Operation& operation, Rng& rng) {
  const std::lock_guard lock(mutex_);
  Log& log = logs_[operation.key.value_or(Value())];
  if (operation.f == "append") return append(log, operation.value, rng);
  if (operation.f == "read" || operation.f == "read-at" || operation.f == "replay") return read(log, operation, rng);
  return Completion::failed("unsupported", "the memory target has no operation " + operation.f + " on an event-log");
}

Completion EventLog::append(Log& log, const Value& event, Rng& rng) {
  const auto position = static_cast<std::int64_t>(log.size()) + 1;
  if (!faults_.strikes(Bug::lost_write, rng)) log.push_back({event, now_()});
  return Completion::ok(Value::list({position, event}));
}

Completion EventLog::read(const Log& log, const Operation& operation, Rng& rng) {
  const auto end = static_cast<std::int64_t>(log.size());
  if (operation.f == "read-at" ? !operation.value.is_integer()
                               : !operation.value.is_nil() && !operation.value.is_integer())
    return bad_operation(operation, operation.f == "read-at" ? "a position" : "a token or nothing");
  const std::int64_t asked = operation.value.is_integer() ? operation.value.integer() : 0;
  if (asked < 0 || asked > end) return Completion::failed("no-such-position", "the log ends at " + std::to_string(end));
  std::int64_t position = end;
  if (operation.f == "read-at") position = asked;
  if (operation.f == "read") {
    const auto built =
        std::find_if(log.begin(), log.end(), [&](const Event& one) { return one.appended + kLag > now_(); });
    position = built - log.begin();
    if (position > 0 && faults_.strikes(Bug::stale_read, rng))
      --position;
    else
      position = std::max(position, asked);
  }
  Value::List events;
  for (const Event& one : log) {
    if (static_cast<std::int64_t>(events.size()) == position) break;
    events.push_back(one.value);
  }
  if (operation.f == "read" && events.size() > 1 && faults_.strikes(Bug::reorder, rng))
    std::swap(events.back(), events[events.size() - 2]);
  if (operation.f == "read" && !events.empty() && faults_.strikes(Bug::duplicate, rng)) events.push_back(events.back());
  return Completion::ok(Value::list({position, Value(std::move(events))}));
}

}  // namespace ordeal::memory
