#pragma once
// Clock watch: keeps the clock of a system wrong while its processes come and go, and puts all of them right again.
//
// A forked process inherits the wrong clock. One that runs another program does not, nor does the system when it is
// started again: the watch looks for such processes every 30 ms, and knows them as descendants of those it knows, or by
// having the same program and arguments. It ends when the fault's folder is gone.

#include <string>
#include <string_view>
#include <vector>

#include "nemesis/programs/agent/clock_page.h"

namespace ordeal::agent {

// Makes the clocks of the processes wrong, prints "set PID" for each, and leaves the watch behind in the background.
// Returns the exit code; on failure nothing stays behind.
int start_clock_fault(const std::string& folder, std::string_view id, const ClockParameters& parameters,
                      const std::vector<int>& processes);

// Ends the watch and resets every process in which the fault is in force. Idempotent; returns the exit code.
int undo_clock_fault(const std::string& folder, std::string_view id);

}  // namespace ordeal::agent
