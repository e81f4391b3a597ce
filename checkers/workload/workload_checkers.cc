#include "checkers/workload/workload_checkers.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/names.h"
#include "checkers/interfaces/last_look.h"
#include "checkers/workload/judgement.h"
#include "checkers/workload/transparency_log.h"

namespace ordeal {
namespace {

class Judge final : public Checker {
 public:
  explicit Judge(const WorkloadChecker& entry) : entry_(entry) {}
  [[nodiscard]] std::string_view name() const override { return entry_.name; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    const auto start = std::chrono::steady_clock::now();
    CheckResult result;
    result.checker = entry_.name;
    result.model = entry_.name;
    result.algorithm = entry_.name;
    result.consistency = options.consistency.empty() ? entry_.levels.front() : options.consistency;
    const bool known = std::any_of(entry_.levels.begin(), entry_.levels.end(),
                                   [&](const std::string& level) { return is_choice(level, result.consistency); });
    if (!known) {
      result.operations = history.operations().size();
      result.reason = unknown_name("consistency level of " + entry_.name, result.consistency, entry_.levels).message;
      return result;
    }
    const auto stopped = [&](std::string why) {
      result.verdict = Verdict::unknown;
      result.anomalies.clear();
      result.reason = std::move(why) + " while the checker " + entry_.name + " went through the history";
    };
    try {
      work::Judgement judgement(entry_, history, options, result);
      entry_.judge(judgement);
      judgement.finish();
      demand_last_look(history, entry_.name, result);
    } catch (const OutOfLimits& problem) {
      stopped(problem.what());
    } catch (const std::bad_alloc&) {
      stopped("the machine's memory was exhausted");
    }
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  const WorkloadChecker& entry_;
};

WorkloadChecker by_key(WorkloadChecker checker) {
  checker.by_key = true;
  return checker;
}
WorkloadChecker from_initial(WorkloadChecker checker) {
  checker.takes_initial = true;
  return checker;
}

}  // namespace

std::span<const WorkloadChecker> workload_checkers() {
  static const std::vector<WorkloadChecker> all = {
      work::bank(),
      by_key(work::cas_by_version()),
      by_key(work::causal_reverse()),
      by_key(work::concurrency_limit()),
      by_key(work::convergence()),
      from_initial(by_key(work::counter())),
      work::dead_letter(),
      by_key(work::delivery()),
      by_key(work::durability()),
      work::g2(),
      by_key(work::idempotency()),
      by_key(work::idempotency_keys()),
      work::kafka(),
      by_key(work::leader_election()),
      by_key(work::ledger()),
      by_key(work::lock()),
      work::long_fork(),
      by_key(work::lww_map()),
      by_key(work::monotonic()),
      by_key(work::or_set()),
      by_key(work::ordered_ids()),
      work::outbox(),
      by_key(work::overdraft()),
      by_key(work::queue()),
      by_key(work::rate_limit()),
      by_key(work::read_model()),
      work::saga(),
      work::sequential(),
      by_key(work::set()),
      by_key(work::set_full()),
      by_key(work::token_bucket()),
      work::total_queue(),
      work::transparency_log(),
      by_key(work::unique_ids()),
  };
  return all;
}

const WorkloadChecker* find_workload_checker(std::string_view name) {
  for (const WorkloadChecker& entry : workload_checkers()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::shared_ptr<const Checker> make_workload_checker(const WorkloadChecker& entry) {
  return std::make_shared<Judge>(entry);
}

}  // namespace ordeal
