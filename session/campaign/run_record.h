#pragma once
// RunRecord: what a campaign keeps of a run that ended, taken from its results.json, and what that is worth to the
// campaign. A line of the campaign's journal each. Thread-safety: value types and pure functions.

#include <cstdint>
#include <string>
#include <vector>

#include "base/value.h"
#include "checkers/interfaces/checker.h"
#include "session/campaign/campaign.h"

namespace ordeal {

struct CheckRecord {
  std::string title;  // "linearizable cas-register linearizable": checker, model, level
  Verdict verdict = Verdict::unknown;
  std::string type;  // of the first anomaly
  std::string told;  // its explanation, or the reason
  double seconds = 0;
};

struct RunRecord {
  std::size_t run = 0;  // index in the campaign
  Verdict verdict = Verdict::unknown;
  std::string reason;                  // why unknown
  std::string error;                   // why the run itself failed; empty: it did not
  bool refused = false;                // it was wrong usage, which showed only with the nodes at hand
  bool interrupted = false;            // on request: it is played again when the campaign is resumed
  std::vector<std::string> anomalies;  // types, sorted, each once
  // The same, "TYPE/NAME" where an anomaly has a name in plain words beside it: "nonlinearizable/stale-read".
  std::vector<std::string> named;
  std::string told;           // of the first anomaly
  std::int64_t injected = 0;  // faults
  std::int64_t confirmed = 0;
  std::vector<CheckRecord> checks;
  int attempts = 1;
  // What differs between two times.
  std::string started;    // UTC
  std::string directory;  // of the run, below the store; empty: it has none
  double seconds = 0;     // of the last attempt

  [[nodiscard]] Value to_value() const;
  // Errors: input.
  [[nodiscard]] static Result<RunRecord> from_value(const Value& value);
  // Of a run's results.json, or of what `--json` prints when there is none.
  [[nodiscard]] static RunRecord from_results(const Value& results);
};

// What a run means for the campaign.
enum class Standing {
  valid,        // as it should be
  expected,     // an anomaly that is known and no other
  invalid,      // an anomaly that is not expected
  failed,       // the run itself
  refused,      // wrong usage
  unknown,      // no verdict
  vanished,     // a known anomaly was not found in a run that is valid
  not_started,  // out of budget, interrupted, after a run that fails fast
  not_needed,   // until-found found before
};

// "valid", "expected", …, "not started".
[[nodiscard]] std::string_view name(Standing standing);
// Whether nobody has to look.
[[nodiscard]] bool is_green(Standing standing);
[[nodiscard]] Standing standing_of(const RunRecord& record, const Expectation& expect);

}  // namespace ordeal
