#pragma once
// Slow: lets the processes of a target run only a part of the time, by stopping them (tracee.h) for the rest of each
// short period. Not by signals: so a process that is paused by another fault stays so, and when this program dies the
// kernel lets go of what it holds, so that nothing has to be undone.

#include <string>
#include <vector>

namespace ordeal::agent {

// `percent` (1 … 99) of the time they run, in periods of `period_ms`. Leaves the work behind in the background.
int start_slow_fault(const std::string& folder, int percent, int period_ms, const std::vector<int>& processes);
int undo_slow_fault(const std::string& folder);

}  // namespace ordeal::agent
