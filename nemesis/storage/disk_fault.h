#pragma once
// Disk: the target's disk fails, loses, delays or corrupts, for a while (nemesis/programs/disk/faults.h); this is which
// of it, where, and the proof. Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory disk_fault();

}  // namespace ordeal
