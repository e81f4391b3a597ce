#pragma once
// Sets, logs, unordered queues, mutexes and the containers of any_containers.h, of which nobody knows in which state
// they are at the beginning, or of which only some elements are looked at: for proofs that need little of a long
// history (window.h, few_elements.h).
//
// Looking at some elements only is sound because these data types are right about any of their elements when they are
// right about all: leave out of an order that explains a history what is about other elements, and of what its reads
// show the other elements, and it still explains the rest. (A set is the product of its elements; of a log or a queue
// with some elements taken out the others stay in their order, and so it is with a stack; what is empty has none of
// them.)
//
// Thread-safety: as Model.

#include <memory>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/proof/any_state.h"

namespace ordeal::lin {

// As from_any_state(). REQUIRES: the model is a set, a log, a container or a mutex; `view.elements` of a set or an
// unordered queue names some.
[[nodiscard]] std::unique_ptr<Model> elements_from_any_state(const Model& model, const History& history,
                                                             const View& view);

// Whether a call is about one of the elements, or may be: reads of everything, takes that found nothing or crashed, and
// of a priority queue takes of what is greater. No elements: all are looked at.
[[nodiscard]] bool concerns(const KeyHistory& history, const Call& call, const Elements& elements);

}  // namespace ordeal::lin
