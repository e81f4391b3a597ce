#pragma once
// Minimise: from a key's history that has no linearization to a small part of it that has none either, and that proves
// as much about the whole history: nothing is left out that may have explained what is in it (links.h).
//
// The result is 1-minimal: without any one of its operations the rest is linearizable, or lacks what may explain
// another operation. (A read of 3 "alone, cannot be explained" as soon as the writes of 3 are left out, which proves
// nothing about a history that has them.) Where operations of a model are only meaningful together (a lock's acquire
// and release, an element's enqueue and dequeue) they go together. Thread-safety: pure.

#include <chrono>
#include <vector>

#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/proof/any_state.h"
#include "checkers/linearizability/proof/window.h"

namespace ordeal::lin {

// Until when to look for smaller histories, of all keys together, when the check began at `start` and was given
// `timeout` (0: no limit): what is left of it, but a second in any case and never more than ten.
[[nodiscard]] std::chrono::steady_clock::time_point minimising_until(std::chrono::steady_clock::time_point start,
                                                                     std::chrono::milliseconds timeout);

// A part of a history without a linearization, which proves that the whole has none.
struct Counterexample {
  std::vector<CallIndex> calls;  // ascending
  EventIndex from = 0;           // not 0: from whatever state, beginning there (window.h)
  bool minimal = false;          // without any one of them it would prove nothing
  View view;                     // of a window, or of a part that is about some elements only: what is looked at
};
// Of a short history minimise(); of a long one a window or a part about few elements (few_elements.h), and minimise()
// where these leave more than a screen of operations.
[[nodiscard]] Counterexample counterexample(const KeyHistory& history, const Decision& decision, Budget& budget);

[[nodiscard]] Counterexample as_counterexample(const KeyHistory& history, const Window& window);
// Whether it proves that the history has no linearization; looked at anew, with all places where a window may end.
[[nodiscard]] bool proves(const KeyHistory& history, const Counterexample& counterexample, Budget& budget);

// REQUIRES: decision.verdict is invalid. The calls' indices, ascending. When the budget ends early the result is as
// small as it had got, and still not linearizable.
[[nodiscard]] std::vector<CallIndex> minimise(const KeyHistory& history, const Decision& decision, Budget& budget);

// The part of a history that consists of these calls.
[[nodiscard]] KeyHistory part_of(const KeyHistory& history, const std::vector<CallIndex>& calls);

// True when these calls (ascending) have no linearization, and that proves that the history has none; windows aside.
[[nodiscard]] bool proves_violation(const KeyHistory& history, const std::vector<CallIndex>& calls, Budget& budget);

}  // namespace ordeal::lin
