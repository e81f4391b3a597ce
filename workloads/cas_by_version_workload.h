#pragma once
// cas-by-version: registers that are changed by compare-and-set on the version read before, by many workers, with few
// values that come again and again, and often with a version that is outdated. What it finds: compare-and-sets that
// look at the value instead of the version (ABA), versions that repeat or go back, lost updates, stale reads.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory cas_by_version_workload();

}  // namespace ordeal
