#pragma once
// Eventual consistency of registers, without and with a bound.
//
//   eventual    after the last write of a key all come to read the same (Burckhardt, "Principles of eventual
//   consistency",
//               2014: all but finitely many later operations see a write). That is a promise of liveness: no finite
//               history breaks it, however long replicas stay apart. It is valid when what each process read last,
//               after all writes of a key had ended, is the same for two processes or more, and `unknown` when it
//               differs or nobody read so late
//   eventual-T  the same with a bound, which a history can break: all who read a key T or longer after all writes of it
//               had ended read the same, and not the initial value when a write was acknowledged. Times are the
//               history's; where they are missing or step back it is `unknown`
//
// Of a run that says how long its replicas have to settle (CheckOptions::extra, "eventual.settle_s") `eventual` is
// judged by what each process read last of a key, so long or longer after all writes of all keys had ended and all
// faults were healed: these reads are the same, and not of the initial value when a write was acknowledged. What was
// read before may be anything, so a store that is slow while it recovers is not accused. It is `unknown` when a key was
// written that fewer than two processes read so late, and when a fault was never healed.
//
// Either is invalid for a read of what nobody had begun to write by then, which is safety and goes with both. A write
// that crashed may arrive at any time, or never: reads of its value are excused, and differences that it explains are
// `unknown`. Keys are judged apart. Cost: O(n log n). Thread-safety: pure.

#include <cstdint>
#include <optional>

#include "checkers/consistency/causal.h"
#include "checkers/interfaces/anomaly_entry.h"

namespace ordeal::weak {

// `bound_ns`: the T of eventual-T; none: eventual.
[[nodiscard]] Finding judge_eventual(const Execution& execution, std::optional<std::int64_t> bound_ns);
// `eventual` of a run whose replicas have that time to settle.
[[nodiscard]] Finding judge_settled(const Execution& execution, std::int64_t settle_ns);

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> eventual_anomalies();

}  // namespace ordeal::weak
