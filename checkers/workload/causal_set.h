#pragma once
// Causal consistency of a grow-only set: with what a read shows, it shows all that this depends on.
//
// An element depends on what its process had added and read before it added it, a read on what its process had added
// and read before. A read returns all that is visible to it, so it must hold the closure of these: its process' own
// earlier elements, all that its process had read, and with each element that it holds all that this one depends on.
// Adds commute, so there is nothing else to demand, and the levels causal-cc, causal-ccv and causal-cm are one
// (Bouajjani et al., POPL 2017). Of each process only the last of its elements in a read need be looked at, for what it
// depends on holds what the others do. Elements may be late for ever.
//
// Cost: O(all elements of all reads times processes). Thread-safety: one thread.

#include <utility>
#include <vector>

#include "checkers/workload/judgement.h"

namespace ordeal::work {

// Tells `missing-dependency`. Says `inconclusive` when an element was added more than once, for which add a read saw is
// then open. Adds and reads (ok ones, of lists) in the order of their invocations.
void judge_causal_set(Judgement& in, ValueId key, const std::vector<std::pair<OperationEvents, ValueId>>& adds,
                      const std::vector<OperationEvents>& reads);

}  // namespace ordeal::work
