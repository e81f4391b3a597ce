#pragma once
// durability: elements are added while nodes crash, and read when all is well again. What it finds: acknowledged writes
// that are lost, or more of them than a recovery point objective allows, and crashes that last longer than a recovery
// time objective.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory durability_workload();

}  // namespace ordeal
