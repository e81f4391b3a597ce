#pragma once
// Target postgres: one PostgreSQL server. Thread-safety: as of Target.

#include "harness/interfaces/target.h"

namespace ordeal {

[[nodiscard]] TargetFactory postgres_target();

}  // namespace ordeal
