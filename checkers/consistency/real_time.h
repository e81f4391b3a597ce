#pragma once
// Levels that look at each read in real time, key by key: regular and safe registers; and the largest staleness that a
// history shows.
//
//   regular   a read returns the value of a write that overlaps it, or of one before it that no other write is known to
//             have replaced before the read began (Lamport 1986; for many writers the weak form of Shao, Welch, Pierce
//             and Lee, 2011: each read alone fits an order of all writes)
//   safe      as regular, for those reads that overlap no write; the others may return anything
//
// A crashed write may take effect at any time after its invocation. Cost: n log n. Thread-safety: pure functions.

#include <optional>
#include <vector>

#include "checkers/consistency/causal.h"
#include "checkers/interfaces/anomaly_entry.h"

namespace ordeal::weak {

[[nodiscard]] Finding judge_regular(const Execution& execution, const WeakLimits& limits);
[[nodiscard]] Finding judge_safe(const Execution& execution, const WeakLimits& limits);
// That `r` returned a value that nobody wrote.
[[nodiscard]] Violation never_written(const Execution& execution, AccessId r);

struct Staleness {
  std::int64_t ns = 0;  // from when the value had certainly been replaced until the read began
  AccessId read = 0;
  AccessId replaced_by = 0;
};
// The largest over all reads, each taken as fresh as its value allows; none when no read was stale, or times are not
// known.
[[nodiscard]] std::optional<Staleness> largest_staleness(const Execution& execution);

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> real_time_anomalies();

// Those of regular and safe registers alone.
[[nodiscard]] std::vector<AnomalyEntry> regular_anomalies();

}  // namespace ordeal::weak
