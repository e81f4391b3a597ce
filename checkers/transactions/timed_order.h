#pragma once
// Strict serializability of large histories of registers: an order of the writes that also keeps real time, found piece by
// piece. It implies every weaker level, so it is tried first. See timed_order.cc.

#include <functional>

#include "checkers/transactions/order_search.h"

namespace ordeal::txn {

// Requires: inference.with_realtime. `undecided` also when it would take long; order_search.h may know more then.
[[nodiscard]] OrderAnswer timed_order(const Inference& inference, const std::function<bool()>& out_of_budget);

}  // namespace ordeal::txn
