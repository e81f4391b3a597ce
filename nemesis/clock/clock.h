#pragma once
// Clock: the target's processes on some nodes see a wrong time of day. nemesis/programs/agent/clock.h has the
// mechanism; this is which clock, and the proof. Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory clock_fault();

}  // namespace ordeal
