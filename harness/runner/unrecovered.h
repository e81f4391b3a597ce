#pragma once
// Which nodes did not come back: asked once the target as a whole did not serve within the time it had. Tells what the
// target did not survive, which is its fault, from nodes that cannot be reached, which is not.
// Thread-safety: functions; one at a time per target.

#include <vector>

#include "harness/interfaces/target.h"
#include "harness/store/run_end.h"

namespace ordeal {

// `problem`: what Target::await_ready() said. Each node is asked whether it serves after all; one that does not is
// looked at for processes of the system. Without nodes of ours, and when each of them serves on its own, it is the
// target as a whole. Never empty. Errors: a node that cannot be reached, so that nobody knows.
[[nodiscard]] Result<std::vector<UnrecoveredNode>> unrecovered_nodes(Target& target, Cluster* cluster,
                                                                     const Error& problem);

}  // namespace ordeal
