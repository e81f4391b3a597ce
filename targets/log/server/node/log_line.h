#pragma once
// The node's own log: a line on standard error with UTC time and level. A line with level FATAL is why a node ended by
// itself. Thread-safety: from any thread; lines are not torn.

#include <string_view>

namespace ordeal::log::node {

// `level`: "INFO", "WARN", "FATAL".
void log_line(std::string_view level, std::string_view text);

}  // namespace ordeal::log::node
