#pragma once
// Target redis: one Redis server with its append-only file. Thread-safety: as of Target.

#include "harness/interfaces/target.h"

namespace ordeal {

[[nodiscard]] TargetFactory redis_target();

}  // namespace ordeal
