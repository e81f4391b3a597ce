#pragma once
// Explain: a minimal history in words and as a graph. Thread-safety: pure.

#include "checkers/interfaces/checker.h"
#include "checkers/linearizability/interfaces/strategy.h"

namespace ordeal::lin {

// `minimal` is a part of the key's history `whole` without a linearization, small enough to be looked at; with `from`,
// a window (window.h).
[[nodiscard]] Anomaly explain(const KeyHistory& minimal, const KeyHistory& whole);

}  // namespace ordeal::lin
