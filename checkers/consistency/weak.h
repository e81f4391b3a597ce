#pragma once
// The checkers of the levels below linearizability, for the models register, cas-register and multi-register. The
// README says what each level demands.
//
// Polynomial when written values are unique (per key); otherwise a bounded search over which write each read saw, and
// `unknown` with the reason when that is not enough. Use model, consistency, initial, initial_unknown, nil_reads,
// timeout, memory_bytes and stop. Thread-safety: stateless.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

struct WeakLevel {
  std::string name;
  std::string help;  // one line
  bool cas = false;  // whether it has a meaning for cas
};
// Those of a table, without `k-atomic-N`, `eventual-T`, `bounded-staleness-T` and `strongest`. None implies one before
// it.
[[nodiscard]] const std::vector<WeakLevel>& weak_levels();

// The checker of one of those, of "k-atomic-3", "eventual-2s", "bounded-staleness-500ms" (of any N and T) or
// "strongest"; null when there is no such level.
[[nodiscard]] std::shared_ptr<const Checker> weak_checker(std::string_view level);

// What causal-ccv finds at a glance, for `sequential`, which implies it: with few ways to say which write each read
// saw, and without asking the stronger levels.
[[nodiscard]] CheckResult glance_at_ccv(const History& history, const CheckOptions& options);

// The anomalies that they name.
[[nodiscard]] std::vector<AnomalyEntry> weak_anomalies();

}  // namespace ordeal
