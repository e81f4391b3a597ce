#pragma once
// Expectation: what a campaign says a run will show. A known finding that stays is not red, one that is gone is told
// and not green, and whatever else is found is as red as ever:
//
//   expect = "invalid: stale-read"     an anomaly of that type, and of no other
//   expect = "invalid"                 any anomaly
//   expect = "valid"                   as without it
//
// Thread-safety: value types.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

struct Expectation {
  bool invalid = false;
  std::vector<std::string> anomalies;  // types or names in plain words, any of which will do; empty: all there are

  // As one would write it; "valid" by default.
  [[nodiscard]] std::string text() const;
  // Whether exactly what is expected was found. Requires: `found` is RunRecord::named of an invalid run.
  [[nodiscard]] bool allows(const std::vector<std::string>& found) const;
};

// Errors: usage, with what is nearest to an unknown type of anomaly.
[[nodiscard]] Result<Expectation> parse_expectation(std::string_view text);

}  // namespace ordeal
