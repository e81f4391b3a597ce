#pragma once
// Core dumps: what the target's processes leave when they crash, fetched on request.
//
// Every command that is run on a node begins with a raised limit for cores, which what it starts inherits. Where the
// kernel puts them (/proc/sys/kernel/core_pattern) is one setting for the whole machine and is not touched: files are
// looked for where it says; when it pipes to a program, that is told, and there is nothing to fetch. Thread-safety: one
// thread.

#include <cstdint>
#include <string>
#include <vector>

#include "harness/control/cluster.h"
#include "harness/store/run_directory.h"
#include "harness/store/run_log.h"

namespace ordeal {

class CoreDumps {
 public:
  // From now on the cluster's nodes run commands with that limit (bytes of one core). What keeps cores from becoming
  // files is said in the log. Borrows the cluster. Errors: of nodes that cannot be asked.
  [[nodiscard]] static Result<CoreDumps> allow(Cluster& cluster, std::uint64_t max_bytes, RunLog& log);
  // Fetches what has come since, gzipped, to nodes/<node>/cores/: at most five a node. `directories`, by node: where
  // else the target's processes may have been at work. Returns how many; what goes wrong is said in the log.
  std::size_t collect(const std::vector<std::vector<std::string>>& directories, const RunDirectory& run, RunLog& log);

 private:
  struct OnNode {
    std::string pattern;
    std::int64_t since_s = 0;  // by the node's clock
  };
  explicit CoreDumps(Cluster& cluster) : cluster_(&cluster), nodes_(cluster.size()) {}
  Cluster* cluster_;
  std::vector<OnNode> nodes_;
};

}  // namespace ordeal
