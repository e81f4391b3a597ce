#pragma once
// The four session guarantees (Terry et al., "Session guarantees for weakly consistent replicated data", 1994), per
// key.
//
// A history only shows values, so the guarantees are judged through versions: there must be one order of each key's
// writes, the initial value first, that all sessions agree with. v(r) is the write that r saw.
//
//   read-your-writes      own write w before read r           w is v(r) or before it
//   monotonic-reads       read r1 before read r2              v(r1) is v(r2) or before it
//   monotonic-writes      own write w1 before own write w2    w1 before w2; and monotonic reads
//   writes-follow-reads   read r before own write w           v(r) before w; and monotonic reads
//
// The last two include monotonic reads, because only readers that do not jump back can show the order of writes:
// without them monotonic-writes could never be violated. A violation is a cycle. Linear in the accesses.
// Thread-safety: pure functions.

#include <vector>

#include "checkers/consistency/causal.h"
#include "checkers/interfaces/anomaly_entry.h"

namespace ordeal::weak {

[[nodiscard]] Finding judge_read_your_writes(const Execution& execution, const Sources& sources,
                                             const WeakLimits& limits);
[[nodiscard]] Finding judge_monotonic_reads(const Execution& execution, const Sources& sources,
                                            const WeakLimits& limits);
[[nodiscard]] Finding judge_monotonic_writes(const Execution& execution, const Sources& sources,
                                             const WeakLimits& limits);
[[nodiscard]] Finding judge_writes_follow_reads(const Execution& execution, const Sources& sources,
                                                const WeakLimits& limits);

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> session_anomalies();

}  // namespace ordeal::weak
