#pragma once
// Kill and restart: the target's processes end, and are started again. Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory kill_fault();
[[nodiscard]] FaultFactory restart_fault();

}  // namespace ordeal
