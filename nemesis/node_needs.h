#pragma once
// Node needs: whether the nodes have what a fault needs there (FaultFactory::needs), looked at before the run, so that
// a fault that cannot be injected is refused, or left out, with the reason, and not found out in the middle.
//
// A plain machine may lack a package; a container a capability or a device. Looking changes nothing on the node.
// Thread-safety: one thread per object.

#include <map>
#include <string>
#include <vector>

#include "harness/interfaces/fault.h"

namespace ordeal {

// A POSIX shell script for root that prints a line for each thing that is missing, and nothing else.
[[nodiscard]] std::string missing_script(const std::vector<NodeNeed>& needs);

// Asks all nodes at once, and no node twice for the same.
class NodeNeeds {
 public:
  explicit NodeNeeds(const Cluster& cluster) : cluster_(cluster) {}
  // Empty when every node has all of it; else what is missing where: "n2: iptables is not installed". Errors: of nodes
  // that cannot be asked (unreachable, auth, timeout).
  [[nodiscard]] Result<std::string> missing(const std::vector<NodeNeed>& needs, Deadline deadline);

 private:
  const Cluster& cluster_;
  std::map<std::string, std::string> known_;  // by script
};

}  // namespace ordeal
