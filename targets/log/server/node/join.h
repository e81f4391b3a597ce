#pragma once
// How a node enters a running cluster: it asks the members, one after the other, until the leader announces it.
// Thread-safety: one thread.

#include "base/deadline.h"
#include "base/error.h"
#include "targets/log/server/node/options.h"

namespace ordeal::log::node {

// What the node is from then on. Errors: target, saying what the last one asked answered; timeout.
[[nodiscard]] Result<Identity> join_cluster(const NodeOptions& options, Deadline deadline);

}  // namespace ordeal::log::node
