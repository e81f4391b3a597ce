#pragma once
// Queues, stacks and priority queues of which nobody knows what is in them at the beginning, or of which only some
// values are looked at: for proofs that begin in the middle of a history (window.h). Values may be repeated.
//
// What was inside at the beginning lies before all that is put in later in a queue, and below it in a stack; so the
// state is what is known to have been put in since, and whether there may be something else before it or under it. A
// queue from which others may still come can give anything, and a stack gives what is known first:
//
//   stack   push 1 |--|  push 2 |--|          pop 1 |--|      2 lies above 1, whatever was there before
//   queue   dequeue: empty |--|  enqueue 1 |--|  enqueue 2 |--|  dequeue 2 |--|
//
// so that a window of a queue proves something only when it begins with the history, or somebody finds it empty. Of a
// priority queue the state is what is known to be inside, and the least that may be inside besides, which is what was
// taken last: everything smaller was gone. For the same reason, where only some values are looked at, whoever takes a
// greater one shows that they were gone.
//
// Where puts are left out (Unseen::additions), anything may be taken that the known elements do not stand in the way
// of, and it is these that must go; where takes are left out (Unseen::subtractions), known elements may go when it is
// their turn. That it suffices to follow one way, where several are open, is said where it is done.
// Tested by lin_counterexample_test. Thread-safety: as Model.

#include <memory>

#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/proof/any_state.h"

namespace ordeal::lin {

// As from_any_state(). REQUIRES: the model is a queue, a stack or a priority queue.
[[nodiscard]] std::unique_ptr<Model> container_from_any_state(const Model& model, const History& history,
                                                              const View& view);

// Whether it is a take of a priority queue whose element is greater than one of `elements`.
[[nodiscard]] bool shows_that_smaller_are_gone(const KeyHistory& history, const Operation& take,
                                               const Elements& elements);
// Whether windows of the data type that do not begin with the history need a take that found nothing to prove anything.
[[nodiscard]] bool needs_an_empty_one(const Model& model);

}  // namespace ordeal::lin
