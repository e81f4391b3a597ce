#pragma once
// The last look: what a fault left is known from what was seen after it. One rule for all promises about what is there
// in the end (elements, messages, balances, sums): where a run injected faults, and no operation that shows what is
// kept began after the last one and succeeded, nobody knows what that fault left, and the verdict is `unknown`, not
// `valid`. It accuses nobody: `invalid` and `unknown` stay what they are. The faults are those whose steps are in the
// history (fault_record.h), whether they were confirmed or not; a history without any is not touched.
//
// The table of models says what counts as a look. It leaves out what promises nothing about the end: locks, limits, ids
// and elections, whose answers are judged one by one; registers, transactions and the orders made of them, where the
// level is claimed of the answers that there are.
//
// Thread-safety: pure.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/interfaces/checker.h"

namespace ordeal {

// What shows what a model keeps: a success of one operation of every group is a look ("read" and "messages" of an
// outbox, "dequeue" or "drain" of a queue).
struct LastLook {
  std::string_view model;
  std::vector<std::vector<std::string_view>> shown_by;
};

[[nodiscard]] std::span<const LastLook> last_looks();

// Why nobody knows what the last fault left; empty: there was none, somebody looked, or the model promises nothing of
// the kind. O(events after the last look).
[[nodiscard]] std::string nobody_looked(const History& history, std::string_view model);

// A result of that model which is `valid` becomes `unknown` where nobody_looked() says why.
void demand_last_look(const History& history, std::string_view model, CheckResult& result);

// The checker of that model, by this rule. Those of checkers/workload keep it themselves.
[[nodiscard]] std::shared_ptr<const Checker> with_last_look(std::string_view model,
                                                            std::shared_ptr<const Checker> checker);

}  // namespace ordeal
