#pragma once
// Pause: the target's processes stand still and go on later, held by the freezer of control groups (cgroup.h) or by
// SIGSTOP. Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory pause_fault();

}  // namespace ordeal
