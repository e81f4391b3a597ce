#pragma once
// The faults that go over the nodes one by one: rolling restart and rolling upgrade. Thread-safety: see fault.h.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory rolling_restart_fault();
[[nodiscard]] FaultFactory rolling_upgrade_fault();

}  // namespace ordeal
