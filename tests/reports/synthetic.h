#pragma once
// A run made up from a seed, for looking at reports and for testing them: registers under load, faults, one stale
// read with its explanation, logs. Thread-safety: pure functions.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "reports/report.h"

namespace ordeal {

struct SyntheticOptions {
  std::size_t operations = 2000;
  std::uint64_t seed = 1;
  Verdict verdict = Verdict::invalid;
  // Keys, values, errors, evidence, logs and labels full of markup, control characters and broken UTF-8.
  bool hostile = false;
  bool faults = true;
  bool times = true;
};

struct SyntheticRun {
  std::unique_ptr<History> history;
  ReportInput input;  // points to the history
};

[[nodiscard]] SyntheticRun synthetic_run(const SyntheticOptions& options = {});

// What a hostile database might answer.
[[nodiscard]] const char* hostile_text();

}  // namespace ordeal
