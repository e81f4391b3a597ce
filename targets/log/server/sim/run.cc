#include "targets/log/server/sim/run.h"

#include <algorithm>

#include "checkers/linearizability/checker.h"
#include "targets/log/server/sim/world.h"

namespace ordeal::log::sim {
namespace {

void judge(const History& history, const Plan& plan, RunResult& result) {
  CheckOptions options;
  options.model = plan.cas ? "cas-register" : "register";
  options.initial = Value(0);
  options.threads = 1;
  options.timeout = std::chrono::seconds(60);
  const CheckResult checked = linearizable_checker()->check(history, options);
  if (checked.verdict == Verdict::valid) return;
  std::string what = checked.verdict == Verdict::unknown ? "not judged: " + checked.reason : "";
  for (const Anomaly& anomaly : checked.anomalies) what += (what.empty() ? "" : "; ") + anomaly.explanation;
  result.violation = Violation{"linearizability", what, 0};
}

// Runs that are tried while shrinking, and what was best so far.
class Shrinker {
 public:
  Shrinker(const Plan& plan, const Violation& violation, unsigned max_runs) : kind_(violation.kind), left_(max_runs) {
    best_.plan = plan;
  }

  bool fails(const Plan& plan) {
    if (left_ == 0) return false;
    --left_;
    ++best_.runs;
    RunResult result = run(plan);
    if (!result.violation || result.violation->kind != kind_) return false;
    best_.plan = plan;
    best_.result = std::move(result);
    return true;
  }

  // Ever smaller pieces of the list of faults are left out (Zeller and Hildebrandt, "Simplifying and Isolating
  // Failure-Inducing Input", 2002).
  void drop_faults() {
    for (std::size_t piece = best_.plan.faults.size(); piece > 0; piece /= 2) {
      for (std::size_t from = 0; from < best_.plan.faults.size();) {
        Plan fewer = best_.plan;
        const std::size_t to = std::min(from + piece, fewer.faults.size());
        fewer.faults.erase(fewer.faults.begin() + static_cast<std::ptrdiff_t>(from),
                           fewer.faults.begin() + static_cast<std::ptrdiff_t>(to));
        if (!fails(fewer)) from = to;
      }
    }
  }

  void drop_operations() {
    for (unsigned step = best_.plan.operations; step > 0; step /= 2) {
      while (best_.plan.operations >= step) {
        Plan fewer = best_.plan;
        fewer.operations -= step;
        if (!fails(fewer)) break;
      }
    }
  }

  Shrunk take() { return std::move(best_); }

 private:
  std::string kind_;
  unsigned left_;
  Shrunk best_;
};

}  // namespace

RunResult run(const Plan& plan, bool trace) {
  World world(plan, trace);
  RunResult result = world.run();
  if (!result.violation) judge(world.take_history(), plan, result);
  return result;
}

Shrunk shrink(const Plan& plan, const Violation& violation, unsigned max_runs) {
  Shrinker shrinker(plan, violation, max_runs);
  ORDEAL_CHECK(shrinker.fails(plan), "a run to be shrunk does not fail when it is run again");
  shrinker.drop_faults();
  shrinker.drop_operations();
  shrinker.drop_faults();
  return shrinker.take();
}

}  // namespace ordeal::log::sim
