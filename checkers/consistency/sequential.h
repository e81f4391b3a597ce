#pragma once
// The checker "sequential": is there one order of all operations, over all keys, that keeps the order of each process
// and that the model explains (Lamport, 1979)? Real time between processes does not matter.
//
// Works for every model of checkers/linearizability (CheckOptions::model). Sequential consistency is not a matter of
// single keys: each may be fine alone and all together not. A process that goes on after a crashed operation counts as
// a new one, and a crashed operation may be left out. Deciding it is NP-complete; this is a depth-first search over how
// far each process has come, which remembers where it has been, and tries first what was invoked first; for registers
// where that is lost, one over the writers of what was read (sequential_sources.h). It gives up with `unknown` at the
// limits of time and memory.
//
// Uses model, initial, initial_unknown, nil_reads, timeout, memory_bytes, certificate and stop. Thread-safety:
// stateless.

#include <memory>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"
#include "checkers/linearizability/models/model.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> sequential_checker();

// Whether an order that explains a history of single registers was found by a short search and, for at most half of the
// time, one over the writers of what was read. False: none was found, which refutes nothing. For weaker levels.
[[nodiscard]] bool sequential_at_a_glance(const History& history, const lin::Model& model, const CheckOptions& options);

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> sequential_anomalies();

}  // namespace ordeal
