#pragma once
// overdraft: withdrawals from two accounts of a customer at once, with a rule over both: write skew and lost updates,
// named by what they cost. Customers come and go, so that the histories of each stay short; in the end all are read.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory overdraft_workload();

}  // namespace ordeal
