#pragma once
// Sequential consistency of registers as a matter of transactions: each operation is one that reads or writes one key,
// a cas one that reads and writes it, and the sessions are the processes. An order of all of them is one that makes
// them serializable in the order of each session (strong session serializability: Daudjee and Salem, ICDE 2004), and
// for that the search over the writers of repeated values (checkers/transactions/source_search.h) learns from what it
// refuted, where a depth-first search over how far each process has come is lost in the number of configurations.
//
// Thread-safety: pure.

#include <optional>

#include "checkers/consistency/sequential_search.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

// unknown: undecided, or not what this can decide (reads of nil that are no observation, an initial value that is not
// known). An anomaly, whose operations are those of `history`, with `invalid`. Crashed operations may be left out; with
// a crashed cas it is never `valid`, since its condition would not be looked at.
struct SequentialAnswer {
  Verdict verdict = Verdict::unknown;
  std::optional<Anomaly> anomaly;
};

// Requires: the model is one register (lin::is_one_register). Uses initial, initial_unknown, nil_reads, timeout,
// memory_bytes, extra and stop of the options.
[[nodiscard]] SequentialAnswer sequential_by_sources(const History& history, const SequentialSessions& sessions,
                                                     const CheckOptions& options);

}  // namespace ordeal
