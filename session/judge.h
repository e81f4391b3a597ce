#pragma once
// Judges a stored run from its directory alone: reads the journal, runs the checkers, writes results.json, junit.xml,
// report.html and the pictures. `ordeal run` calls it at the end and `ordeal report` at any time later, with the same
// outcome; also for a run that failed, that was interrupted, or whose controller was killed.
//
// Thread-safety: one call per directory at a time.

#include <chrono>
#include <cstddef>
#include <optional>
#include <stop_token>
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
  std::string reason;              // why unknown
  std::optional<Error> failure;    // the run itself failed: its verdict is invalid or unknown
  std::optional<Error> unwritten;  // a file of the judgement could not be written; the verdict stands
  std::string summary;             // one sentence
  std::vector<CheckResult> checks;
  Facts facts;    // without the single operations
  Value results;  // results.json
};

// What the checkers may take. What one of them did not decide by then is `unknown`, with the reason.
struct JudgeLimits {
  std::optional<std::chrono::milliseconds> timeout;  // for all checkers together, 0: none; absent: as the plan says
  std::optional<std::size_t> memory_bytes;           // for each; absent: as the plan says
  std::stop_token stop;                              // the checkers end, and what is known by then is written
};

// `path`: a run's directory, or a link to it. Errors: not_found; input, for a history or plan that cannot be read; io.
[[nodiscard]] Result<JudgedRun> judge_run(const std::string& path, RunObserver& observer,
                                          const JudgeLimits& limits = {});

}  // namespace ordeal
