#pragma once
// The causal levels and PRAM, for executions in which every read has one source.
//
// Bouajjani, Enea, Guerraoui and Hamza, "On verifying causal consistency" (POPL 2017): with the sources known, each
// level is the absence of a few patterns. Causal order is the transitive closure of session order and reads-from.
//
//   causal-cc    that order has no cycle, and no read misses a write to its key that comes between its source and it
//   causal-ccv   moreover, one order of all writes agrees with what every read preferred (convergence)
//   causal-cm    moreover, each session's reads fit one order of what it knows (memory); neither implies the other
//   pram         each session's reads fit one order of its own operations and all writes that keeps the sessions'
//   orders
//
// One technique covers all: a read of w1 that knows of w2 (same key) puts w2 before w1. For cc that must hold already
// (else w1, w2, read are in that order and the read is wrong); for ccv the edges of all reads are added, for cm and
// pram those of one session at a time, until nothing changes; a contradiction is a violation.
//
// A cas reads and writes in one step, so it is also its own session's read. Cost: accesses times sessions for cc and
// ccv, that times the sessions for cm and pram. Thread-safety: pure functions.

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "checkers/consistency/execution.h"
#include "checkers/interfaces/anomaly_entry.h"

namespace ordeal::weak {

struct WeakLimits {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::size_t memory_bytes = std::size_t{4} << 30;
  std::stop_token stop;
  // How many ways to say which write each read saw are tried, where written values are repeated (sources.h).
  std::uint64_t ways = 20'000;
  // Of a run: how long its replicas have to settle (eventual.h).
  std::optional<std::int64_t> settle_ns;
  // Why to give up now; empty: go on.
  [[nodiscard]] std::string reached() const;
};

struct Finding {
  Verdict verdict = Verdict::valid;
  std::optional<Violation> violation;  // when invalid
  std::string reason;                  // when unknown
  [[nodiscard]] static Finding invalid(Violation violation) { return {Verdict::invalid, std::move(violation), {}}; }
  [[nodiscard]] static Finding unknown(std::string reason) {
    return {Verdict::unknown, std::nullopt, std::move(reason)};
  }
};

[[nodiscard]] Finding judge_cc(const Execution& execution, const Sources& sources, const WeakLimits& limits);
[[nodiscard]] Finding judge_ccv(const Execution& execution, const Sources& sources, const WeakLimits& limits);
[[nodiscard]] Finding judge_cm(const Execution& execution, const Sources& sources, const WeakLimits& limits);
[[nodiscard]] Finding judge_pram(const Execution& execution, const Sources& sources, const WeakLimits& limits);

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> causal_anomalies();

}  // namespace ordeal::weak
