#pragma once
// What a run records and keeps on its nodes when the options `nodes.…` ask for it: packets, core dumps, and the nodes
// themselves. Thread-safety: one thread.

#include <optional>
#include <string>

#include "harness/interfaces/plan.h"
#include "harness/interfaces/target.h"
#include "harness/nodes/node_source.h"
#include "harness/runner/core_dumps.h"
#include "harness/runner/packet_capture.h"

namespace ordeal {

// Errors: usage, for sizes that are none, and for nodes that cannot be kept.
[[nodiscard]] Result<void> check_node_records(const Plan& plan);

class NodeRecords {
 public:
  // Before the target is made. Requires: check_node_records(). Errors: unsupported, unreachable, remote.
  [[nodiscard]] Result<void> begin(const Plan& plan, Cluster& cluster, RunLog& log);
  // When the run is over. What goes wrong is said in the log.
  void collect(const Target& target, const Cluster& cluster, const RunDirectory& run, RunLog& log);

 private:
  std::optional<PacketCapture> packets_;
  std::optional<CoreDumps> cores_;
};

// Leaves the nodes up, with all that runs there, and writes kept.json into the run's directory. Returns what to tell
// people: how to enter, and how to remove them.
[[nodiscard]] std::string keep(nodes::NodeSet& set, const RunDirectory& run);

// The local cluster that the run in this directory has kept, if it is still up.
[[nodiscard]] std::optional<nodes::ClusterState> kept_cluster(const std::string& directory);

}  // namespace ordeal
