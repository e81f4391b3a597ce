#include "support/history_part.h"

#include <algorithm>

#include "base/error.h"

namespace ordeal::testing_support {

History part_of(const History& history, const std::vector<EventIndex>& invocations) {
  std::vector<EventIndex> events;
  for (const EventIndex e : invocations) {
    events.push_back(e);
    if (history.partner(e) != kNoEvent) events.push_back(history.partner(e));
  }
  std::sort(events.begin(), events.end());
  events.erase(std::unique(events.begin(), events.end()), events.end());
  HistoryBuilder builder;
  const auto interned = [&](ValueId id) {
    return id == kAbsent ? kAbsent : builder.values().intern(history.values().to_value(id));
  };
  for (const EventIndex e : events) {
    Event event;
    event.process = history.process(e);
    event.time = history.time(e);
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

std::string told(const History& history) {
  std::string out;
  for (EventIndex e = 0; e < history.size(); ++e) {
    out += std::to_string(history.process(e)) + " " + std::string(name(history.type(e))) + " " +
           std::string(history.f_name(e)) + " " +
           (history.key(e) == kAbsent ? std::string() : "key " + history.values().to_json(history.key(e)) + " ") +
           (history.value(e) == kAbsent ? std::string() : history.values().to_json(history.value(e))) + "\n";
  }
  return out;
}

}  // namespace ordeal::testing_support
