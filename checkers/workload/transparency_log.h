#pragma once
// The checker "transparency-log"; its promise stands in transparency_log.cc. Thread-safety: pure.

#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {

[[nodiscard]] WorkloadChecker transparency_log();

}  // namespace ordeal::work
