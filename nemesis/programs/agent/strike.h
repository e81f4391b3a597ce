#pragma once
// Strike: kills processes at an agreed moment, so that several nodes can lose theirs at once.

#include <cstdint>
#include <string>
#include <vector>

namespace ordeal::agent {

// Prints the monotonic clock in ns, and an id that all who read the same clock have in common: boot of the kernel and
// time namespace. Returns the exit code.
[[nodiscard]] int print_clock();

// Sends SIGKILL at `monotonic` ns of this node's monotonic clock (at once when that is over) to each of "PID:STARTED"
// that still is who it was, and prints a line with the moment at which it was sent. Returns the exit code.
[[nodiscard]] int strike_at(std::int64_t monotonic, const std::vector<std::string>& processes);

}  // namespace ordeal::agent
