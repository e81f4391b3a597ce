#pragma once
// Levels with a bound of time in their names: `eventual-2s`, `bounded-staleness-500ms`. Catalogues list them with a T
// in place of the duration. The times of a history are what they are measured by. Thread-safety: pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "checkers/history/history.h"

namespace ordeal {

inline constexpr std::string_view kEventualT = "eventual-T";
inline constexpr std::string_view kBoundedStalenessT = "bounded-staleness-T";

// The bound in ns of a level that `listed`, which ends in -T, stands for. Nothing: it is another level.
[[nodiscard]] std::optional<std::int64_t> time_bound_ns(std::string_view level, std::string_view listed);

// Why the times of the clients' events measure nothing: one has none, or is earlier than one before it (lines, not
// times, say what came first). Equal times are fine. Empty: they do.
[[nodiscard]] std::string no_times(const History& history);

}  // namespace ordeal
