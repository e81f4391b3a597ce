#pragma once
// The polynomial special cases: strategies that decide histories of one data type without search, where the history
// qualifies (mostly: no element is put in twice). The table of strategies lists them before the searches.
//
// An order that explains the history (Decision::order) is given by all but those whose comment says no.
// Thread-safety: stateless.

#include <memory>

#include "checkers/linearizability/interfaces/strategy.h"

namespace ordeal::lin {

[[nodiscard]] std::unique_ptr<Strategy> log_prefix_strategy();         // log: full reads, distinct elements
[[nodiscard]] std::unique_ptr<Strategy> set_chain_strategy();          // set: add and full reads, distinct elements
[[nodiscard]] std::unique_ptr<Strategy> queue_order_strategy();        // queue: distinct elements. No order.
[[nodiscard]] std::unique_ptr<Strategy> stack_gaps_strategy();         // stack: distinct elements. No order.
[[nodiscard]] std::unique_ptr<Strategy> priority_cover_strategy();     // priority-queue: distinct elements. No order.
[[nodiscard]] std::unique_ptr<Strategy> counter_deadlines_strategy();  // counter: one delta, exact reads
[[nodiscard]] std::unique_ptr<Strategy> counter_sums_strategy();       // counter: deltas of one sign, exact reads
[[nodiscard]] std::unique_ptr<Strategy> fetch_add_places_strategy();   // fetch-add of one delta
[[nodiscard]] std::unique_ptr<Strategy> unique_ids_strategy();         // unique-ids
[[nodiscard]] std::unique_ptr<Strategy> lock_cores_strategy();         // locks that know their holders
[[nodiscard]] std::unique_ptr<Strategy> lock_deadlines_strategy();     // mutex: whoever releases

// All of the above, in this order.
[[nodiscard]] std::vector<std::unique_ptr<Strategy>> special_cases();

}  // namespace ordeal::lin
