#pragma once
// Workloads of promises that are no data type.
//
//   idempotency  operations with a key are sent again and again: each takes effect once
//   rate-limit   requests as fast as the rate allows: no window of time holds more grants than the limit
//   saga         transfers of several steps on a ledger: complete or compensated, and the ledger adds up

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory idempotency_workload();
[[nodiscard]] WorkloadFactory rate_limit_workload();
[[nodiscard]] WorkloadFactory saga_workload();

}  // namespace ordeal
