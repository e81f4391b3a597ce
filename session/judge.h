#pragma once
// Judges a stored run from its directory alone: reads the journal, runs the checkers, writes results.json, junit.xml,
// report.html and the pictures. `ordeal run` calls it at the end and `ordeal report` at any time later, with the same
// outcome; also for a run that failed, that was interrupted, or whose controller was killed.
//
// Thread-safety: one call per directory at a time.

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/value.h"
#include "checkers/interfaces/checker.h"
#include "reports/facts.h"
#include "session/observer.h"

namespace ordeal {

struct JudgedRun {
  std::string directory;
  Verdict verdict = Verdict::unknown;
  std::string reason;            // why unknown
  std::optional<Error> failure;  // the run itself failed: its verdict is invalid or unknown
  std::string summary;           // one sentence
  std::vector<CheckResult> checks;
  Facts facts;    // without the single operations
  Value results;  // results.json
};

// `path`: a run's directory, or a link to it. Errors: not_found; input, for a history or plan that cannot be read; io.
[[nodiscard]] Result<JudgedRun> judge_run(const std::string& path, RunObserver& observer);

}  // namespace ordeal
