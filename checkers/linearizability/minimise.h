#pragma once
// Minimise: from a key's history that has no linearization to a small part of it that has none either.
//
// The result is 1-minimal: without any one of its operations the rest is linearizable, or it would no longer say why.
// The latter, because a read of 3 "alone, cannot be explained" as soon as the write of 3 is left out, which proves
// nothing about a history that has that write: an operation that provides what another saw (the value, the element,
// the lock) stays as long as the other does. Where operations of a model are only meaningful together (a lock's acquire
// and release, an element's enqueue and dequeue) they go together.
// Thread-safety: pure.

#include <vector>

#include "checkers/linearizability/strategy.h"

namespace ordeal::lin {

// REQUIRES: decision.verdict is invalid. The calls' indices, ascending. When the budget ends early the result is as
// small as it had got, and still not linearizable.
[[nodiscard]] std::vector<CallIndex> minimise(const KeyHistory& history, const Decision& decision, Budget& budget);

// The part of a history that consists of these calls.
[[nodiscard]] KeyHistory part_of(const KeyHistory& history, const std::vector<CallIndex>& calls);

// True when every operation among `calls` that saw something which some operation of `history` provides still has one
// that provides it.
[[nodiscard]] bool explains_itself(const KeyHistory& history, const std::vector<CallIndex>& calls);

}  // namespace ordeal::lin
