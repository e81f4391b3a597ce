#pragma once
// A whole run on the memory target: plan → generator → workers → journal → reader → checkers.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/options.h"
#include "checkers/history/history.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

struct Judged {
  Verdict verdict = Verdict::valid;
  std::vector<std::string> anomalies;  // their types
  std::string text;                    // for messages
  std::size_t ok = 0;                  // operations that succeeded
};

using Settings = std::vector<std::pair<std::string, std::string>>;

// What a run on the memory target left: its history, and the options of its plan.
struct Recorded {
  History history;
  Options options;
};
// Ten workers for `seconds` at `rate` operations a second. Aborts when the run cannot be set up.
[[nodiscard]] Recorded recorded_run(const std::string& workload, const Settings& settings, std::uint64_t seed,
                                    double seconds, double rate);

// The same, judged; ten workers for `seconds` at `rate` operations a second; on a machine so busy that fewer than
// `wanted` of them succeed, again for twice as long, and so on. Aborts when the run cannot be set up.
[[nodiscard]] Judged judged_run(const std::string& workload, const Settings& settings, std::uint64_t seed,
                                double seconds, double rate, std::size_t wanted = 0);

}  // namespace ordeal
