#pragma once
// Cluster: the machines of a run as the controller reaches them. Thread-safety: not changed after it was made; the
// nodes as node.h says.

#include <cstddef>
#include <memory>
#include <vector>

#include "harness/control/node.h"

namespace ordeal {

// The machines of a run, in order. Owned by the run.
struct Cluster {
  std::vector<std::unique_ptr<Node>> nodes;
  [[nodiscard]] std::size_t size() const { return nodes.size(); }
  [[nodiscard]] Node& at(std::size_t i) const { return *nodes[i]; }
};

}  // namespace ordeal
