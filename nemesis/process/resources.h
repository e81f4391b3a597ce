#pragma once
// Resources: the target's processes get too little time, too few file descriptors, or no more memory; by the agent
// (nemesis/programs/agent/slow.h, limits.h). Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory slow_fault();
[[nodiscard]] FaultFactory files_fault();
[[nodiscard]] FaultFactory memory_fault();

}  // namespace ordeal
