#pragma once
// shrink(): a run that shows an anomaly made smaller, while it still shows the same. Reductions (reductions.h) are
// tried one after the other; each is played again and again until a sequential test says whether it shows the anomaly
// as often as the run itself, or much less often, and only then taken. Who tries many things and keeps what looked good
// keeps lucky ones, too: so the end is confirmed by repetitions of its own, and one that is not confirmed gives way to
// the one before it.
//
// The idea of taking away by halves: A. Zeller, R. Hildebrandt, Simplifying and isolating failure-inducing input, IEEE
// TSE 28 (2002). Thread-safety: one call; everything is called back on its thread.

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/interfaces/plan.h"
#include "session/campaign/rate.h"
#include "session/run_request.h"

namespace ordeal {

// How large a run is.
struct RunSize {
  std::int64_t faults = 0;  // injected
  std::int64_t operations = 0;
  double seconds = 0;  // of the main phase
  int clients = 0;
  std::string nodes;
};

// One repetition.
struct Trial {
  enum class Outcome {
    shown,        // the anomaly that is looked for, whatever else
    hidden,       // another verdict
    failed,       // the run itself: says nothing
    refused,      // wrong usage: there is no such run
    interrupted,  // on request
  };
  Outcome outcome = Outcome::hidden;
  std::string why;  // failed, refused
  std::int64_t faults = 0;
  std::int64_t operations = 0;
};

struct ShrinkStep {
  std::string what;
  Rate rate;  // of its repetitions
  bool taken = false;
  std::string why;  // beside the rate: refused, failed, no time
};

struct Shrunk {
  RunRequest request;  // the smallest one that is known to show it
  RunSize size;        // faults and operations: the median of the repetitions
  Rate base;           // how often the run as it was showed it
  Rate rate;           // the same of the smaller one, in the repetitions that confirmed it
  bool confirmed = false;
  bool smaller = false;  // something was taken away
  std::vector<ShrinkStep> steps;
  std::string stopped;  // why it ended early: budget, interrupted, "not seen again"; empty: nothing is left to try
  bool failed = false;  // what stopped it is that runs fail
};

struct ShrinkLimits {
  std::size_t times = 10;  // repetitions that confirm the end
  double budget_s = 1800;  // no repetition begins that would not end by then; 0: as long as it takes
};

struct ShrinkHost {
  // Plays once; `keep`: its directory is to stay.
  std::function<Trial(const Plan& plan, bool keep)> play;
  std::function<double()> now_s;  // a clock that never goes back
  std::function<void(const std::string& line)> say;
  // The best so far, whenever there is a better one. Errors end it.
  std::function<Result<void>(const Shrunk&)> save;
  std::stop_token stop;
};

// The rule by which a reduction is taken, in words, for a run that shows its anomaly as often as `base` says.
[[nodiscard]] std::string told_rule(const Rate& base, const ShrinkLimits& limits);

// Errors: those of resolve() for the request itself, and of `save`.
[[nodiscard]] Result<Shrunk> shrink(const RunRequest& request, const ShrinkLimits& limits, const ShrinkHost& host);

}  // namespace ordeal
