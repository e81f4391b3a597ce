#pragma once
// Workloads of queues.
//
//   queue        unique messages go in and come out: none from nowhere, none twice
//   total-queue  in the end every worker drains the queue: what went in came out
//   delivery     messages of several keys with a number each; at most once, at least once or exactly once, in order per
//                key if that is claimed
//
// The first two after Jepsen's.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory queue_workload();
[[nodiscard]] WorkloadFactory total_queue_workload();
[[nodiscard]] WorkloadFactory delivery_workload();

}  // namespace ordeal
