#pragma once
// Wrong clock: in which way a clock is to be wrong, drawn from the seed, and whether readings of it show that. Shared
// by the faults on the clock of processes and on that of machines. Thread-safety: pure functions.

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "harness/interfaces/fault.h"

namespace ordeal {

// How a clock goes wrong. Steps follow each other every `period_s`, endlessly; a single one stays.
struct Wrong {
  std::string kind;  // offset, jump, drift, strobe, freeze
  std::vector<double> steps_s = {0};
  double period_s = 0;
  double drift = 0;  // gained per second; -1: it stands still

  // {"kind":"offset","offsets_s":[3600.0]}, added to `out`.
  void describe(Value& out) const;
  // Whether it looks different at different moments.
  [[nodiscard]] bool changes() const { return drift != 0 || period_s > 0; }
};

// What differs between kinds of clocks.
struct WrongClockRange {
  double most_drift_percent = 1000;  // that may be set
  double least_drawn_drift_percent = 0.1;
  double most_drawn_drift_percent = 50;
  double least_drawn_period_s = 0.001;
};
[[nodiscard]] std::vector<OptionSpec> wrong_clock_options(std::string_view fault, const WrongClockRange& range);
// Draws everything that any kind needs, so that a setting never shifts another draw.
[[nodiscard]] Wrong draw_wrong(const Options& options, std::string_view fault, const WrongClockRange& range,
                               std::mt19937_64& random);

// One reading of a clock. Seconds, by any origin that all readings share.
struct ClockReading {
  int pid = 0;        // of the process whose clock it is, 0: a machine's
  double before = 0;  // the true time
  double inside = 0;  // what the clock shows
  double after = 0;   // the true time
  bool pristine = false;
  std::string problem;
  [[nodiscard]] double time() const { return (before + after) / 2; }
  [[nodiscard]] double offset() const { return inside - time(); }
  // What reading may be wrong by.
  [[nodiscard]] double error() const { return (after - before) / 2 + 5e-5; }
};

// "3600.000 s ahead of WHAT"
[[nodiscard]] std::string ahead(double seconds, std::string_view what);

// Whether the readings of one clock, at least two, show it to be wrong in the way that was meant.
[[nodiscard]] Observation judge_clock(const Wrong& wrong, const std::vector<ClockReading>& readings,
                                      std::string_view against);

// How many readings judge_clock() wants, and how far apart, when a reading may be wrong by `error_s`.
struct ReadingPlan {
  int rounds = 2;
  double pause_s = 0.001;
};
[[nodiscard]] ReadingPlan reading_plan(const Wrong& wrong, double error_s);

}  // namespace ordeal
