#pragma once
// Workload long-fork: single writes to fresh keys, and transactions that read a whole group of keys. All readers must
// see the writes of a group appear in one order: one that saw x without y and another that saw y without x took
// snapshots on two branches. Allowed by parallel snapshot isolation, by nothing stronger. After Jepsen's long-fork.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory long_fork_workload();

}  // namespace ordeal
