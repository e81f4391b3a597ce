#pragma once
// Workloads monotonic and sequential, after Jepsen's CockroachDB tests.
//
//   monotonic   rows with the next value and the database's timestamp are inserted: the two orders must agree
//   sequential  the subkeys of a key are written one after the other and read in reverse: none may be skipped

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory monotonic_workload();
[[nodiscard]] WorkloadFactory sequential_workload();

}  // namespace ordeal
