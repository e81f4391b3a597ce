#pragma once
// Planted bugs of how a node answers (bugs.h): they change a command before it is put into the log, or its answer
// after. Thread-safety: from any thread.

#include <functional>

#include "targets/log/server/node/replica.h"

namespace ordeal::log::node {

// The outcome of the command, or with a bug planted of what becomes of it.
[[nodiscard]] Outcome answer_wrongly(const Replica& replica, const state::Command& command,
                                     const std::function<Outcome(const state::Command&)>& submit);

}  // namespace ordeal::log::node
