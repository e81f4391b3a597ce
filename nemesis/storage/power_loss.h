#pragma once
// Power loss: the target dies, and with it what it wrote and did not sync. The disk under its data
// (nemesis/programs/disk) says what was unsynced and takes it back; this is when and where, and the proof.
// Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory power_loss_fault();

}  // namespace ordeal
