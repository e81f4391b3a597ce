#pragma once
// The fault that changes who belongs to the cluster. Thread-safety: see fault.h.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory membership_fault();

}  // namespace ordeal
