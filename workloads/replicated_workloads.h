#pragma once
// or-set and lww-map: replicated data types whose updates need no agreement. Elements are added again and removed by
// those who saw them; values are put and removed with timestamps that do not follow real time. What they find: replicas
// that do not agree in the end, removes that take along what they had not seen, removed things that come back, writes
// that win because they arrived last.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory lww_map_workload();
[[nodiscard]] WorkloadFactory or_set_workload();

}  // namespace ordeal
