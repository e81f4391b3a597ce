#pragma once
// Workloads causal-reverse and comments: unique elements are written blindly while others read all of them; a read that
// sees an element must see all whose write was over before that one's began. After Jepsen's workloads of these names,
// which differ in where a store keeps the elements (several keys; several tables).

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory causal_reverse_workload();
[[nodiscard]] WorkloadFactory comments_workload();

}  // namespace ordeal
