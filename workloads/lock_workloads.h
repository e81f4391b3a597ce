#pragma once
// Workloads lock and leader-election: every worker again and again tries to get a lock, or to be elected, and gives it
// back; never may two hold it at once, and fencing tokens and terms only grow.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory lock_workload();
[[nodiscard]] WorkloadFactory leader_election_workload();

}  // namespace ordeal
