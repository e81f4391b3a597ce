#pragma once
// Circumstances: what a checker's anomalies are told with, whichever checker found them: what their names mean, and
// which faults were in force meanwhile, on which of the nodes that served the operations (History::place_workers); and,
// where clients said how they carried them out (an ok with an "error" of the kind "evidence"), durations, overlap and
// what they said.
//
// Thread-safety: pure but for the result given.

#include "checkers/interfaces/checker.h"

namespace ordeal {

// Gives each anomaly its meaning, ends its explanation with the faults in force, and puts those of the fewest
// operations first. To be called once for a result. O(anomalies x faults).
void add_circumstances(const History& history, CheckResult& result);

}  // namespace ordeal
