#pragma once
// Host clock: the clock of whole machines, which must be one's own, is wrong. nemesis/programs/agent/host_clock.h has
// the mechanism. Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory host_clock_fault();

}  // namespace ordeal
