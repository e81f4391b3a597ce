#pragma once
// Target cockroachdb: a cluster of CockroachDB, every worker at its own node. Thread-safety: as of Target.

#include "harness/interfaces/target.h"

namespace ordeal {

[[nodiscard]] TargetFactory cockroachdb_target();

}  // namespace ordeal
