#pragma once
// What is done with a system at the moment at which an anomaly was seen: its processes are held, its data directories
// saved to the run's directory, and it is let go again. Thread-safety: one thread.

#include "base/error.h"
#include "harness/interfaces/plan.h"
#include "harness/interfaces/target.h"
#include "harness/store/run_directory.h"
#include "harness/store/run_log.h"

namespace ordeal {

// Holds the target by the fault `pause` on all nodes, with its undo in the run's ledger like that of any fault: should
// the controller die meanwhile, the nodes let it go by themselves. What cannot be held or saved is noted in the log,
// and the rest done all the same; of a target without processes or nodes there is nothing to do. Errors: what may still
// be held.
[[nodiscard]] Result<void> freeze_and_save(const Plan& plan, Target& target, Cluster& cluster, const RunDirectory& run,
                                           RunLog& log);

}  // namespace ordeal
