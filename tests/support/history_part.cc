#include "support/history_part.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace ordeal::testing_support {

namespace {

// Some events of a history; `times`: by event, empty for those that they have.
History copied(const History& history, const std::vector<EventIndex>& events, const std::vector<std::int64_t>& times) {
  HistoryBuilder builder;
  const auto interned = [&](ValueId id) {
    return id == kAbsent ? kAbsent : builder.values().intern(history.values().to_value(id));
  };
  for (const EventIndex e : events) {
    Event event;
    event.process = history.process(e);
    event.time = times.empty() ? history.time(e) : times[e];
    event.type = history.type(e);
    event.f = *builder.function(history.f_name(e));
    event.key = interned(history.key(e));
    event.value = interned(history.value(e));
    if (history.error(e) != nullptr) event.error = *history.error(e);
    const auto added = builder.add(event);
    ORDEAL_CHECK(added.has_value(), "a part of a history contradicts itself");
  }
  return builder.finish();
}

}  // namespace

History part_of(const History& history, const std::vector<EventIndex>& invocations) {
  std::vector<EventIndex> events;
  for (const EventIndex e : invocations) {
    events.push_back(e);
    if (history.partner(e) != kNoEvent) events.push_back(history.partner(e));
  }
  std::sort(events.begin(), events.end());
  events.erase(std::unique(events.begin(), events.end()), events.end());
  return copied(history, events, {});
}

History with_times(const History& history, const std::vector<std::int64_t>& times) {
  std::vector<EventIndex> events(history.size());
  std::iota(events.begin(), events.end(), EventIndex{0});
  return copied(history, events, times);
}

std::string told(const History& history) {
  std::string out;
  for (EventIndex e = 0; e < history.size(); ++e) {
    out += std::to_string(history.process(e)) + " " + std::string(name(history.type(e))) + " " +
           std::string(history.f_name(e)) + " " +
           (history.key(e) == kAbsent ? std::string() : "key " + history.values().to_json(history.key(e)) + " ") +
           (history.value(e) == kAbsent ? std::string() : history.values().to_json(history.value(e))) +
           (history.time(e) < 0 ? std::string() : " at " + std::to_string(history.time(e)) + " ns") + "\n";
  }
  return out;
}

}  // namespace ordeal::testing_support
