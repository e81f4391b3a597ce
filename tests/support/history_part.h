#pragma once
// The operations that an anomaly names, as a history of their own: what is left of a proof when all else is taken away.
// Thread-safety: pure.

#include <cstdint>
#include <vector>

#include "checkers/history/history.h"

namespace ordeal::testing_support {

// The events of the operations with these invocations, in their order; an operation without completion has none there
// either. Indices are new, processes and times stay.
[[nodiscard]] History part_of(const History& history, const std::vector<EventIndex>& invocations);

// The same events with these times, in ns.
[[nodiscard]] History with_times(const History& history, const std::vector<std::int64_t>& times);

// One line an event, for messages of tests.
[[nodiscard]] std::string told(const History& history);

}  // namespace ordeal::testing_support
