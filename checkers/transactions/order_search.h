#pragma once
// Is there an order of the writes nobody knows the order of, such that no forbidden cycle is left? (The polygraphs of
// Papadimitriou, 1979; Cobra, 2020; PolySI, 2023.) NP-complete, so bounded.

#include <functional>

#include "checkers/transactions/inference.h"
#include "checkers/transactions/levels.h"

namespace ordeal::txn {

enum class Possible { yes, no, undecided };

struct OrderAnswer {
  Possible possible = Possible::undecided;
  // With `no`: transactions of the cycles that showed it, as far as they were kept.
  std::vector<TxnIndex> culprits;
  // One choice alone cannot be made: `culprits` are its two transactions, these the cycles that either answer closes.
  bool one_choice = false;
  KeyIndex key = kNone;
  std::vector<Edge> if_first, if_second;
};

// `extra`: nothing, kProcess, or both kProcess and kRealtime.
[[nodiscard]] OrderAnswer find_order(const Inference& inference, OrderKind kind, unsigned extra,
                                     const std::function<bool()>& out_of_budget);

}  // namespace ordeal::txn
