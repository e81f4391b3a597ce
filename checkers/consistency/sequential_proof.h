#pragma once
// Why a history is not sequential: a small part of it that is not either, and in words which orders of which processes
// cannot be reconciled.
//
// The part is found by leaving out as in Zeller and Hildebrandt (2002), with what may have given a kept operation what
// it observed always kept (links.h): so the part has an order whenever the whole has one, and proves that it has none.
// Thread-safety: pure.

#include "checkers/consistency/sequential_search.h"

namespace ordeal {

// Requires: the search found no order of all the sessions. Takes two seconds at most, and no longer than the limits.
[[nodiscard]] Anomaly explain_nonsequential(const History& history, const lin::Model& model,
                                            const lin::Partition& parts, const SequentialSessions& sessions,
                                            SequentialLimits limits);

}  // namespace ordeal
