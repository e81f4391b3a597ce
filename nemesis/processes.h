#pragma once
// Kill and pause: what is done to the target's processes by signals. Thread-safety: as of Injection.

#include "harness/runner/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory kill_fault();
[[nodiscard]] FaultFactory pause_fault();

}  // namespace ordeal
