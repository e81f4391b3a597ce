#include "checkers/interfaces/time_bound.h"

#include <algorithm>
#include <cmath>

#include "base/options.h"

namespace ordeal {

std::optional<std::int64_t> time_bound_ns(std::string_view level, std::string_view listed) {
  if (level == listed || !is_choice(listed, level)) return std::nullopt;
  constexpr double kMostSeconds = 9e9;  // within 64 bits of ns
  const auto seconds = parse_duration(level.substr(listed.size() - 1));
  return std::llround(std::min(*seconds, kMostSeconds) * 1e9);
}

std::string no_times(const History& history) {
  std::int64_t last = 0;
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.process(e) < 0) continue;
    const std::string event = "event " + std::to_string(history.index(e));
    if (history.time(e) < 0) return event + " has no time, so how long something took cannot be told";
    if (history.time(e) < last)
      return "the time of " + event + " is earlier than one before it, so how long something took cannot be told";
    last = history.time(e);
  }
  return {};
}

}  // namespace ordeal
