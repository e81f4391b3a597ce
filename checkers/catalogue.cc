#include "checkers/catalogue.h"

#include <vector>

#include "base/names.h"
#include "checkers/consistency/sequential.h"
#include "checkers/linearizability/checker.h"
#include "checkers/run/log_pattern.h"
#include "checkers/run/minority.h"
#include "checkers/run/recovery.h"
#include "checkers/run/stats.h"
#include "checkers/run/unhandled_errors.h"
#include "checkers/transactions/checker.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {

namespace {

std::vector<CheckerEntry> all_checkers() {
  std::vector<CheckerEntry> out = {
      {"linearizable", "linearizability of the object that --model names", &linearizable_checker},
      {"sequential", "sequential consistency of any model, over all keys together", &sequential_checker},
      {"transactional", "isolation levels of transactions, list-append or rw-register", &transactional_checker},
      {"stats", "operations by function and outcome; unknown when a function never succeeded", &stats_checker},
      {"unhandled-errors", "the errors clients met, by kind, with examples", &unhandled_errors_checker},
      {"recovery", "the time to recover after each healing of a fault, against a bound", &recovery_checker},
      {"minority", "changes that nodes cut off from a majority acknowledged, later than a bound", &minority_checker},
      {"log-pattern", "panics and crashes in the target's logs", &log_pattern_checker},
  };
  for (const WorkloadChecker& one : workload_checkers()) {
    out.push_back({one.name, one.help, [&one] { return make_workload_checker(one); }});
  }
  return out;
}

}  // namespace

std::span<const CheckerEntry> checkers() {
  static const std::vector<CheckerEntry> all = all_checkers();
  return all;
}

Result<std::shared_ptr<const Checker>> find_checker(std::string_view name) {
  std::vector<std::string> known;
  for (const CheckerEntry& entry : checkers()) {
    if (entry.name == name) return entry.make();
    known.push_back(entry.name);
  }
  return fail(unknown_name("checker", name, known));
}

}  // namespace ordeal
