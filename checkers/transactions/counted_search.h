#pragma once
// The search for an order (order_search.h) for the levels that forbid only cycles with at most one anti-dependency
// (consistent view, parallel snapshot isolation) or with at most one transaction that only reads (update
// serializability).

#include <functional>

#include "checkers/transactions/order_search.h"

namespace ordeal::txn {

// `kind`: OrderKind::single or OrderKind::updates.
[[nodiscard]] OrderAnswer find_counted_order(const Inference& inference, OrderKind kind, unsigned extra,
                                             const std::function<bool()>& out_of_budget);

}  // namespace ordeal::txn
