#pragma once
// Workloads g-set and pn-counter: replicated data that is updated everywhere at once; when all updates have ended and
// there was time to converge, every worker reads, and all must agree.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory g_set_workload();
[[nodiscard]] WorkloadFactory pn_counter_workload();

}  // namespace ordeal
