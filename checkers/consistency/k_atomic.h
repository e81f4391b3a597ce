#pragma once
// k-atomic-N: linearizable, but for reads that may return any of the last N written values (Aiyer, Alvisi and Bazzi,
// "On the availability of non-strict quorum systems", 2005). k-atomic-1 is linearizability.
//
// Checked by the linearizability engine: the state of the model is the last N values. Keys are checked alone, one after
// another. Exponential in the concurrency at worst; `unknown` at the limits. Thread-safety: stateless.

#include <memory>
#include <string_view>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

// N is 1 to 16 in "k-atomic-N"; null for anything else.
[[nodiscard]] std::shared_ptr<const Checker> k_atomic_checker(std::string_view level);

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> k_atomic_anomalies();

}  // namespace ordeal
