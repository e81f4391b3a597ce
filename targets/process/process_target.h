#pragma once
// Target process: clients are programs in any language that speak JSON lines (PROTOCOL.md); the database half is
// borrowed from another target, described by shell commands, or none of ours.

#include <memory>

#include "harness/interfaces/target.h"

namespace ordeal {

// The client half joined with `database`, another target whose database half is used. With nullptr, the option
// process.database decides between shell commands and none. Borrows cluster and options. Errors: usage.
[[nodiscard]] Result<std::unique_ptr<Target>> make_process_target(Cluster& cluster, const Options& options,
                                                                  std::unique_ptr<Target> database);

// Knows no other target: the catalogue, which does, adds those that lend their database half.
[[nodiscard]] TargetFactory process_target();

}  // namespace ordeal
