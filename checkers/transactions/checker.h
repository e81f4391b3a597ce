#pragma once
// The checker "transactional": is what transactions saw allowed by an isolation level?
//
// Models (CheckOptions::model): "list-append" and "rw-register"; "" takes the one that the history's micro-operations
// show. Levels (CheckOptions::consistency): transactional_levels(), or "strongest", which judges all of them and names
// in the details the strongest ones that nothing observed contradicts, and those ruled out, each with its anomaly; its
// verdict is that on the strongest of all, strict-serializable.
// Default: strict-serializable. Uses initial, timeout, memory_bytes and stop. With the number "transactional.looks" in
// CheckOptions::extra the searches that may give up do so when they look at the limits for the time after so many:
// where a time limit would end somewhere, this is the same place every time. Thread-safety: stateless.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> transactional_checker();

// Names of the levels, the default first, then from the strongest to the weakest, then aliases, then "strongest".
[[nodiscard]] std::vector<std::string> transactional_levels();

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> transactional_anomalies();

}  // namespace ordeal
