#pragma once
// Workload g2: for each key two transactions that look for rows by a predicate and insert one when there is none; at
// most one of them may succeed. Finds anti-dependency cycles through predicates (phantoms). After Jepsen's adya.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory g2_workload();

}  // namespace ordeal
