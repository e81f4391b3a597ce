#pragma once
// Disk full: no space is left for the target's data, for a while.
// Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory disk_full_fault();

}  // namespace ordeal
