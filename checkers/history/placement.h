#pragma once
// Who plays a process, and whom it talks to: the two rules by which histories of our own spread their clients. After an
// operation of unknown outcome a worker goes on under its process number plus the number of workers.
// Thread-safety: pure.

#include <cstddef>

#include "checkers/history/history.h"

namespace ordeal {

// The worker, from 0, that plays a process of a client. Requires: process >= 0, workers > 0.
[[nodiscard]] inline std::size_t worker_of(ProcessId process, std::size_t workers) {
  return static_cast<std::size_t>(process) % workers;
}

// The node, from 0, that a worker talks to. Requires: nodes > 0.
[[nodiscard]] inline std::size_t node_of(std::size_t worker, std::size_t nodes) { return worker % nodes; }

}  // namespace ordeal
