#pragma once
// Workload counter: a counter is incremented (and decremented, if wanted) and read. Every read must lie between what
// was certainly added and what may have been. After Jepsen's counter.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory counter_workload();

}  // namespace ordeal
