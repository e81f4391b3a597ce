#pragma once
// The smallest part of a history that has no order already: what is shown for "no order exists". Delta debugging over
// transactions (Zeller and Hildebrandt, 2002) with the search itself as the judge, so the part is a proof by itself.

#include <functional>

#include "checkers/transactions/order_search.h"

namespace ordeal::txn {

struct OrderCore {
  std::vector<TxnIndex> txns;  // sorted
  OrderAnswer answer;          // of these alone, named by the whole history's transactions
};

// Makes a part of the transactions an inference of its own, with choices.
using InferPart = std::function<Inference(Transactions)>;

// Searches an inference for an order.
using FindOrder = std::function<OrderAnswer(const Inference&)>;

// `answer`: of the whole inference; `no`. The search is bounded: what is returned then has no order, but may not be the
// smallest. A part has the reads whose value several transactions wrote only where all of these are in it.
[[nodiscard]] OrderCore order_core(const Inference& inference, OrderAnswer answer, const FindOrder& find,
                                   const InferPart& infer, const std::function<bool()>& out_of_budget);

}  // namespace ordeal::txn
