#pragma once
// Workloads of limits: on how often, and on how many at once.
//
//   token-bucket        requests in bursts, as fast as the rate allows: burst + rate, and no denial without need
//   concurrency-limit   workers take permits in turn: never more than there are, and none is lost for good

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory token_bucket_workload();
[[nodiscard]] WorkloadFactory concurrency_limit_workload();

}  // namespace ordeal
