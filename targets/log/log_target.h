#pragma once
// Target log: the database half of ordeal-log (install, start, kill, …) on nodes, and its registration in the
// catalogue. What each method does on a node is one shell script in log_scripts.h; the client half is client.h.

#include "harness/interfaces/target.h"

namespace ordeal {

[[nodiscard]] TargetFactory log_target();

}  // namespace ordeal
