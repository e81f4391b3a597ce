#pragma once
// The checker "linearizable": does the history have an order of its operations that respects real time and that the
// model explains (Herlihy and Wing, 1990)? Keys are checked alone and in parallel.
//
// Uses CheckOptions::model, algorithm, initial, initial_unknown, nil_reads, timeout, memory_bytes, threads,
// certificate and stop. Anomalies have the type "nonlinearizable" and a minimal history: without any one of its
// operations the rest is linearizable. Thread-safety: stateless.

#include <memory>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> linearizable_checker();

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> linearizable_anomalies();

}  // namespace ordeal
