#pragma once
// `bounded-staleness-T` (500ms, 2s, …): linearizable, but for reads, which may return what was current up to T before
// they began. That is Delta-atomicity (Golab, Li and Shah, "Analyzing consistency properties for fun and profit", PODC
// 2011): the history in which every read begins T earlier is linearizable. Changes, and what reads and changes at once
// (a cas), take effect between their call and return.
//
// Reads are `read`, `get` and `contains` of any model whose keys are independent. The history with earlier reads goes
// to the engine of linearizability: polynomial for registers with unique values and the other special cases. Monotone:
// what keeps a bound keeps every greater one, and what is linearizable keeps all. Exactly T is within it; how
// stale a read is counts from the completion of what had replaced its value to its own invocation, by the times of the
// history in ns. Equal times are fine; where times are missing or step back the verdict is that of all bounds together
// (linearizable: valid; not even with reads of any age: invalid), else `unknown`. Thread-safety: stateless.

#include <memory>
#include <string_view>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

// Null when `level` is no such level.
[[nodiscard]] std::shared_ptr<const Checker> bounded_staleness_checker(std::string_view level);

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> bounded_staleness_anomalies();

}  // namespace ordeal
