#pragma once
// Are there writers for the reads whose value several transactions wrote, and an order of all writes, such that no
// forbidden cycle is left? Serializability and snapshot isolation of registers with repeated values.

#include <functional>

#include "checkers/transactions/order_search.h"

namespace ordeal::txn {

// `kind`: OrderKind::serial or OrderKind::snapshot. `extra`: nothing, kProcess, or both kProcess and kRealtime.
// Requires: Inference::sources_open.
[[nodiscard]] OrderAnswer find_sources(const Inference& inference, OrderKind kind, unsigned extra,
                                       const std::function<bool()>& out_of_budget);

}  // namespace ordeal::txn
