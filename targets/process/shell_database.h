#pragma once
// ShellDatabase: the database half of a system that is described by shell commands (process.start, process.kill, …).
//
// The commands run on the node, with NODE, NODE_ADDRESS, NODE_INDEX (from 0), NODES and NODE_ADDRESSES (separated by
// spaces) in their environment. Thread-safety: as Target.

#include <memory>

#include "harness/interfaces/target.h"

namespace ordeal {

// Borrows both. Errors: usage, when commands are missing that it cannot do without.
[[nodiscard]] Result<std::unique_ptr<Target>> make_shell_database(Cluster& cluster, const Options& options);
[[nodiscard]] std::vector<OptionSpec> shell_database_options();

}  // namespace ordeal
