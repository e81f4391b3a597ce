#pragma once
// A whole run on the memory target: plan → generator → workers → journal → reader → checkers.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "checkers/interfaces/checker.h"
#include "harness/runner/run.h"

namespace ordeal {

struct Judged {
  Verdict verdict = Verdict::valid;
  std::vector<std::string> anomalies;  // their types
  std::string text;                    // for messages
  OperationCounts counts;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

// Ten workers for `seconds` at `rate` operations a second. Aborts when the run cannot be set up.
[[nodiscard]] Judged judged_run(const std::string& workload, const Settings& settings, std::uint64_t seed,
                                double seconds, double rate);

}  // namespace ordeal
