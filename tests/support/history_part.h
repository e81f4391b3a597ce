#pragma once
// The operations that an anomaly names, as a history of their own: what is left of a proof when all else is taken away.
// Thread-safety: pure.

#include <vector>

#include "checkers/history/history.h"

namespace ordeal::testing_support {

// The events of the operations with these invocations, in their order; an operation without completion has none there
// either. Indices are new, processes and times stay.
[[nodiscard]] History part_of(const History& history, const std::vector<EventIndex>& invocations);

// One line a event, for messages of tests.
[[nodiscard]] std::string told(const History& history);

}  // namespace ordeal::testing_support
