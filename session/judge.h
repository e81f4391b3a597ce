#pragma once
// Judges a stored run from its directory alone: reads the journal, runs the checkers, writes results.json, junit.xml,
// report.html and the pictures. `ordeal run` calls it at the end and `ordeal report` at any time later.
//
// Thread-safety: one call per directory at a time.

#include <stop_token>
#include <string>

#include "base/error.h"
#include "base/value.h"
#include "checkers/interfaces/checker.h"

namespace ordeal::cli {

struct JudgedRun {
  std::string directory;
  Verdict verdict = Verdict::unknown;
  std::string reason;   // why unknown
  std::string summary;  // one sentence
  Value results;        // results.json
};

// `path`: a run's directory, or a link to it. Errors: not_found; input, for a history or plan that cannot be read; io.
[[nodiscard]] Result<JudgedRun> judge_run(const std::string& path, std::stop_token stop);

// The verdict, the counts, the faults and the report's path, on standard output.
void print_judged(const JudgedRun& run);

}  // namespace ordeal::cli
