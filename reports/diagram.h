#pragma once
// The small picture of a counterexample: only its operations, a lane for each process, a bar from invocation to
// completion. Private to reports/. Thread-safety: pure functions.

#include <cstddef>
#include <string>
#include <vector>

#include "checkers/interfaces/checker.h"
#include "reports/facts.h"

namespace ordeal {

// "read k7 → 3", "cas k7 [1,2]", for bars and tables.
[[nodiscard]] std::string operation_text(const History& history, OperationEvents op);

// An <svg> element. Distances are by the order of events, not by time, so that the overlaps can be seen whatever the
// pauses between were; the times stand below. At most `limit` operations are drawn. Empty when there are none.
[[nodiscard]] std::string diagram_svg(const History& history, const std::vector<EventIndex>& operations,
                                      const std::vector<EventIndex>& guilty, std::size_t limit = 40);

}  // namespace ordeal
