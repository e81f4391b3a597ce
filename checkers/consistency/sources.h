#pragma once
// Sources: choosing, where several writers fit a read, so that the level holds.
//
// Every judge is monotone: taking a read's demands away never makes an execution worse. So a partial choice that is
// already impossible needs no completion, and a depth-first search over the ambiguous reads decides; it gives up with
// `unknown` at its limits. With unique written values there is nothing to choose. Thread-safety: pure.

#include <functional>
#include <optional>
#include <vector>

#include "checkers/consistency/causal.h"
#include "checkers/interfaces/anomaly_entry.h"

namespace ordeal::weak {

using Judge = std::function<Finding(const Execution&, const Sources&, const WeakLimits&)>;

struct Choice {
  Finding finding;
  Sources sources;  // when valid: those that fit
  std::uint64_t judged = 0;
  // Invalid only after something was chosen: by access, whether the contradiction of any way is about it. Else empty.
  std::vector<char> involved;
};

// Why no choice is possible: few accesses, with all writers that their reads may have seen, that alone have none.
struct Refutation {
  Execution part;
  Choice choice;  // of `part`
};

// A read of a value that nobody wrote is invalid under every level this is used for.
[[nodiscard]] Choice choose_sources(const Execution& execution, const Judge& judge, const WeakLimits& limits);

// Requires: `choice` is that of the execution, invalid, with `involved`. What takes longer than the limits, or than a
// bounded number of choices, is left as large as it is. Nothing when the involved ones alone were not refuted.
[[nodiscard]] std::optional<Refutation> refuted_by(const Execution& execution, const Judge& judge,
                                                   const WeakLimits& limits, const Choice& choice);

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> source_anomalies();

}  // namespace ordeal::weak
