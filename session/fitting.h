#pragma once
// Whether a workload fits a target: its clients must understand every operation that the workload issues.
// Thread-safety: functions without state.

#include <string>
#include <vector>

#include "harness/interfaces/target.h"
#include "harness/interfaces/workload.h"

namespace ordeal {

// `understood`: what the target's clients understand. `options`: those of the workload, which may leave operations out
// (register.cas=0); nullptr: not known yet, and only what is issued at any rate counts. Errors: usage, with what is
// missing, how to do without it, and the workloads that fit; when none does, why, with near misses of names.
[[nodiscard]] Result<void> fits(const TargetFactory& target, const std::vector<std::string>& understood,
                                const WorkloadFactory& workload, const Options* options);

}  // namespace ordeal
