#pragma once
// Workload register: independent compare-and-set registers, judged by linearizability.
//
// Groups of workers read, write and compare-and-set one key at a time for a bounded number of operations and go on to
// the next key: short histories per key keep the check fast, and concurrency within the group makes it strong. A
// register's initial value is nil.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory register_workload();

}  // namespace ordeal
