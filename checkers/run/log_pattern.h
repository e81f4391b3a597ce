#pragma once
// The checker "log-pattern": no line of the target's logs may match a pattern that tells of a crash.
//
// CheckOptions::extra:
//   "log-pattern.files"    list of paths of the collected logs (needed)
//   "log-pattern.pattern"  a POSIX extended regular expression; default: panics, fatal errors, failed assertions,
//                          sanitizers, segmentation faults
//   "log-pattern.ignore"   the same for lines to pass over although they match; default: none
// Each matching line is an anomaly "crash-in-log" with file, line number and text. A file that cannot be read makes
// the verdict `unknown`, unless a match was found. Thread-safety: stateless; reads the files.

#include <memory>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> log_pattern_checker();

// The anomalies that it names.
[[nodiscard]] std::vector<AnomalyEntry> log_pattern_anomalies();

}  // namespace ordeal
