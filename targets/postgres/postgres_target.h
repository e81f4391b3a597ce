#pragma once
// Target postgres: a PostgreSQL server, or a primary with standbys that follow it. Thread-safety: as of Target.

#include "harness/interfaces/target.h"

namespace ordeal {

[[nodiscard]] TargetFactory postgres_target();

}  // namespace ordeal
