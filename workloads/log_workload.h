#pragma once
// log: an append-only log that anybody can verify: appends, also sent again; ranges and tails; signed tree heads,
// inclusion and consistency proofs, which are held against the entries that were read.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory log_workload();

}  // namespace ordeal
