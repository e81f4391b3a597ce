#pragma once
// Crash: the target's processes on several nodes, all by default, are killed at one moment, as when a whole cluster
// loses its power. Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory crash_fault();

}  // namespace ordeal
