#pragma once
// How a node enters a running cluster, or has a member removed: it asks the members of --join, one after the other,
// until the leader does it. Thread-safety: one thread.

#include "base/deadline.h"
#include "base/error.h"
#include "targets/log/server/node/options.h"

namespace ordeal::log::node {

// What the node is from then on. Errors: target, saying what the last one asked answered; timeout.
[[nodiscard]] Result<Identity> join_cluster(const NodeOptions& options, Deadline deadline);

// Returns when the member is out of its cluster's configuration, and that is committed; also when it was none. Errors:
// timeout.
[[nodiscard]] Result<void> leave_cluster(const NodeOptions& options, const Identity& who, Deadline deadline);

}  // namespace ordeal::log::node
