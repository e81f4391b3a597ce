#pragma once
// The axioms of Biswas and Enea (On the complexity of checking transactional consistency, 2019), decided as by AWDIT
// (2025): a commit order must contain sessions and reads-from, and for each read of a key by t3 from t1, every other
// writer t2 of the key that t3 has to know of comes before t1. Whom t3 has to know of makes the level:
//
//   read-committed-axiomatic  what t3 read from earlier in its own order
//   read-atomic               what t3 read from at all, and what its session did
//   causal                    everything in the past of sessions and reads-from
//
// The forced pairs are added to the graph; a cycle is a violation, and no cycle is a proof. Where the versions' order
// is known (list-append) it counts as part of the commit order.

#include <functional>

#include "checkers/transactions/cycles.h"
#include "checkers/transactions/levels.h"

namespace ordeal::txn {

struct AxiomAnswer {
  bool decided = false;
  std::optional<Finding> violation;
};

// `extra`: what counts as an order besides reads: nothing (monotonic atomic view), kProcess, or kProcess | kRealtime;
// with the latter what ended before a transaction began takes the place of its session's past.
[[nodiscard]] AxiomAnswer check_axiom(const Inference& inference, const History& history, Axiom axiom, unsigned extra,
                                      const std::function<bool()>& out_of_budget);

}  // namespace ordeal::txn
