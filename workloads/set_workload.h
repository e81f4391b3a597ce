#pragma once
// Workload set: unique whole numbers are added to one set while some operations read it; when all faults are healed,
// every worker reads it once more. No acknowledged element may be missing from a read that began later, and no
// element may appear that nobody added, or twice.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory set_workload();
// The same with more reads, so that it shows how soon elements are visible.
[[nodiscard]] WorkloadFactory set_full_workload();

}  // namespace ordeal
