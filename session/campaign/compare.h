#pragma once
// compare(): what is new, gone or slower between two campaigns, or between two runs. Runs are paired by their names;
// nothing is called gone that was not looked for. Thread-safety: compare() is pure, read_side() reads.

#include <optional>
#include <string>
#include <vector>

#include "session/campaign/run_record.h"

namespace ordeal {

// One side: of each run the name and, when it was played, its record.
struct Side {
  struct Run {
    std::string name;
    std::optional<RunRecord> record;
  };
  std::string path;
  std::vector<Run> runs;
};

// A campaign's directory, a store (its newest campaign), or a run's directory, whose one run is called "run". Errors:
// usage, for what is neither; input.
[[nodiscard]] Result<Side> read_side(const std::string& path);

struct Difference {
  enum class Kind { found, gone, verdict, slower, faster, only_before, only_after };
  std::string run;
  Kind kind = Kind::verdict;
  std::string text;  // "stale-read", "valid, then unknown: …", "12.1 s, then 20.3 s"
};
// "new", "gone", "verdict", "slower", "faster", "only before", "only after".
[[nodiscard]] std::string_view name(Difference::Kind kind);

// In the order of `after`, then those that are only in `before`. Slower is what takes more than half as long again, and
// a second at least.
[[nodiscard]] std::vector<Difference> compare(const Side& before, const Side& after);

}  // namespace ordeal
