#pragma once
// FewElements: a counterexample that is about one or two elements of a set, a log, a queue, a stack or a priority
// queue, whatever the history says of the others (any_elements.h).
//
// What goes wrong with a long history mostly goes wrong with one element: it was lost, or taken twice, or came back.
// What proves that needs none of the operations on the others, though a read of everything shows them all:
//
//   add 7 |--|   … a thousand operations …   read {1, 2, … without 7} |--|     and nobody removed 7
//
// So each element is asked by itself whether its part of the history has an order, and where each has, pairs are: of
// two reads that contradict each other, each shows an element that the other does not. An element of a set is judged as
// a register (element.h), the others by windows (window.h).
// Tested by lin_counterexample_test. Thread-safety: pure.

#include <optional>

#include "checkers/linearizability/proof/minimise.h"

namespace ordeal::lin {

// The smallest that was found. Nothing: the model is another one, or no few elements have a part without an order, or
// none was found in time. REQUIRES: decision.verdict is invalid.
[[nodiscard]] std::optional<Counterexample> about_few_elements(const KeyHistory& history, const Decision& decision,
                                                               Budget& budget);

}  // namespace ordeal::lin
