#pragma once
// Kill, pause and restart: what is done to the target's processes by signals. Thread-safety: as of Injection.

#include "harness/runner/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory kill_fault();
[[nodiscard]] FaultFactory pause_fault();
[[nodiscard]] FaultFactory restart_fault();

}  // namespace ordeal
