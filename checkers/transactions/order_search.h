#pragma once
// Is there an order of the writes nobody knows the order of, such that no forbidden cycle is left? (The polygraphs of
// Papadimitriou, 1979; Cobra, 2020; PolySI, 2023.) NP-complete, so bounded.

#include <functional>

#include "checkers/transactions/inference.h"

namespace ordeal::txn {

enum class Possible { yes, no, undecided };

struct OrderAnswer {
  Possible possible = Possible::undecided;
  // With `no`: the transactions of the choices that failed at the root, when one choice alone cannot be made.
  std::vector<TxnIndex> culprits;
  KeyIndex key = kNone;
};

// `snapshot`: cycles without two anti-dependencies in a row are forbidden (snapshot isolation), else all cycles
// (serializability). `extra`: kProcess, kRealtime or both.
[[nodiscard]] OrderAnswer find_order(const Inference& inference, bool snapshot, unsigned extra,
                                     const std::function<bool()>& out_of_budget);

}  // namespace ordeal::txn
