#pragma once
// The life of a target around a run: bring it up on all nodes at once, collect its logs, take it down.
//
// Nodes are worked on in parallel, one thread each; errors name the node. Every step runs on all nodes even when one
// fails, so that a message tells of all that are broken. Thread-safety: functions; one at a time per target.

#include <functional>
#include <stop_token>
#include <string>

#include "harness/interfaces/target.h"
#include "harness/store/run_directory.h"
#include "harness/store/run_log.h"

namespace ordeal {

// Runs `work` for every node at once. Errors: that of the first node in order, with its name, and how many others
// failed.
[[nodiscard]] Result<void> on_all_nodes(Cluster& cluster, const std::function<Result<void>(Node&)>& work);

struct BringUp {
  double start_timeout_s = 60;                 // from the first start until all nodes serve
  bool wipe = true;                            // start from nothing
  std::string data_type;                       // of the workload, for Target::use()
  std::stop_token stop;                        // looked at between the steps
  std::function<Result<void>()> before_start;  // once, when all nodes are wiped
};
// Installs, wipes, starts, waits until it serves, prepares. Errors: cancelled, or what a step says. A target without
// nodes is only prepared.
[[nodiscard]] Result<void> bring_up(Target& target, Cluster& cluster, const BringUp& how, RunLog& log);

// What each node says about its system: {"n1":{"version":"3.4.23"}, …}. A node that cannot say has {"error":…}.
[[nodiscard]] Value describe_nodes(Target& target, Cluster& cluster);

// Downloads the target's logs to nodes/<node>/ of the run. A file that is missing or cannot be fetched is noted in the
// log and does not keep others from being fetched. Errors: io, when the run's directory cannot be written.
[[nodiscard]] Result<void> collect_logs(Target& target, Cluster& cluster, const RunDirectory& run, RunLog& log);

// Packs the target's data directories, as they are, and downloads them to nodes/<node>/data[-2…].tar.gz of the run.
// What is missing, too large (sftp.h) or cannot be fetched is noted in the log. Errors: io, when the run's directory
// cannot be written.
[[nodiscard]] Result<void> collect_data(Target& target, Cluster& cluster, const RunDirectory& run, RunLog& log);

// Stops the system on all nodes.
[[nodiscard]] Result<void> take_down(Target& target, Cluster& cluster, RunLog& log);

}  // namespace ordeal
