#pragma once
// Explain: a minimal history in words and as a graph. Thread-safety: pure.

#include "checkers/interfaces/checker.h"
#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/proof/any_state.h"

namespace ordeal::lin {

// `minimal` is a part of the key's history `whole` without a linearization, small enough to be looked at; with `from`,
// a window (window.h); `view` says what of it is looked at.
[[nodiscard]] Anomaly explain(const KeyHistory& minimal, const KeyHistory& whole, const View& view = {});

}  // namespace ordeal::lin
