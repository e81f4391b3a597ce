#pragma once
// Explain: a minimal history in words and as a graph. Thread-safety: pure.

#include "checkers/checker.h"
#include "checkers/linearizability/strategy.h"

namespace ordeal::lin {

// `minimal` is a key's history without a linearization, small enough to be looked at.
[[nodiscard]] Anomaly explain(const KeyHistory& minimal);

}  // namespace ordeal::lin
