#pragma once
// Node needs: whether the nodes have what a fault needs there (FaultFactory::needs), looked at before the run, so that
// a fault that cannot be injected is refused, or left out, with the reason, and not found out in the middle.
//
// A plain machine may lack a package; a container a capability or a device. Looking changes nothing on the node.
// Thread-safety: one thread at a time for each look.

#include <string>
#include <vector>

#include "harness/interfaces/fault.h"

namespace ordeal {

// A POSIX shell script for root that prints a line for each thing that is missing, and nothing else.
[[nodiscard]] std::string missing_script(const std::vector<NodeNeed>& needs);

// Asks all nodes of the cluster, which is borrowed, at once, and no node twice for the same. Errors of the look:
// unreachable, auth, timeout.
[[nodiscard]] MissingNeeds missing_needs(const Cluster& cluster);

}  // namespace ordeal
