#include "checkers/consistency/weak.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/deadline.h"
#include "base/limits.h"
#include "checkers/consistency/bounded_staleness.h"
#include "checkers/consistency/causal.h"
#include "checkers/consistency/eventual.h"
#include "checkers/consistency/k_atomic.h"
#include "checkers/consistency/real_time.h"
#include "checkers/consistency/sequential.h"
#include "checkers/consistency/session_guarantees.h"
#include "checkers/consistency/sources.h"
#include "checkers/consistency/strongest.h"
#include "checkers/interfaces/time_bound.h"
#include "checkers/linearizability/checker.h"

namespace ordeal {
namespace {

using namespace weak;

// A level is judged with the source of each read known, or (`directly`) without choosing any.
struct Level {
  WeakLevel info;
  Judge judge;
  std::function<Finding(const Execution&, const WeakLimits&)> directly = nullptr;
};

const std::vector<Level>& table() {
  static const std::vector<Level> all = {
      {{"causal-ccv", "causal convergence: causal, and all agree on one order of the writes", true}, judge_ccv},
      {{"causal-cm", "causal memory: causal, and each process' reads fit one order of what it knows", true}, judge_cm},
      {{"causal-cc", "causal consistency: no read misses what it depends on", true}, judge_cc},
      {{"pram", "each process sees the writes of every other in their order", true}, judge_pram},
      {{"monotonic-writes", "per key, readers see each process' writes in their order", true}, judge_monotonic_writes},
      {{"writes-follow-reads", "per key, readers see a write after what its process had read", true},
       judge_writes_follow_reads},
      {{"monotonic-reads", "per key, no process sees an older version than before", true}, judge_monotonic_reads},
      {{"read-your-writes", "per key, a process sees its own writes or newer ones", true}, judge_read_your_writes},
      {{"regular", "a read returns the last value written before it, or one being written", false},
       nullptr,
       judge_regular},
      {{"safe", "a read that overlaps no write returns the last value written", false}, nullptr, judge_safe},
      {{"eventual", "after the last write of a key all processes come to read the same", true},
       nullptr,
       [](const Execution& execution, const WeakLimits& limits) {
         return limits.settle_ns ? judge_settled(execution, *limits.settle_ns)
                                 : judge_eventual(execution, std::nullopt);
       }},
  };
  return all;
}

// So many ways to say which write each read saw are tried before a stronger level is asked, and at a glance.
constexpr std::uint64_t kFirstWays = 2'000;
constexpr std::uint64_t kFewWays = 500;

class WeakChecker final : public Checker {
 public:
  explicit WeakChecker(Level level, bool glance = false) : level_(std::move(level)), glance_(glance) {}
  [[nodiscard]] std::string_view name() const override { return level_.info.name; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    const auto start = std::chrono::steady_clock::now();
    CheckResult result;
    result.checker = result.consistency = level_.info.name;
    result.model = options.model;
    result.algorithm = "patterns";
    judge(history, options, start, result);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  void judge(const History& history, const CheckOptions& options, std::chrono::steady_clock::time_point start,
             CheckResult& result) const {
    const auto model = lin::make_model(history, options);
    if (!model) {
      result.reason = model.error().message;
      return;
    }
    if (!lin::is_one_register(**model)) {
      result.reason = "the level " + level_.info.name +
                      " is judged for registers with one key an operation only, not for " + options.model;
      return;
    }
    const lin::Partition parts = lin::partition(history, **model, lin::Crashed::all);
    if (!can_be_judged(parts, result)) return;
    const Execution execution = make_execution(history, **model, parts, options);
    if (execution.has_cas && !level_.info.cas) {
      result.reason = "a cas has no meaning at the level " + level_.info.name;
      return;
    }
    const bool stronger = !execution.unique && !level_.directly && !glance_;
    if (stronger && linearizable_instead(history, options, result)) return;
    WeakLimits limits;
    if (options.timeout.count() > 0) limits.deadline = start + options.timeout;
    limits.memory_bytes = options.memory_bytes > 0 ? options.memory_bytes : usable_memory();
    limits.stop = options.stop;
    if (const Value* settle = options.extra.find("eventual.settle_s"); settle != nullptr)
      limits.settle_ns = static_cast<std::int64_t>(settle->real() * 1e9);
    Finding finding;
    Sources sources(execution.accesses.size(), kUndecided);
    if (level_.directly) {
      result.algorithm = "real-time";
      finding = level_.directly(execution, limits);
    } else {
      if (!execution.unique) result.algorithm += "+search";
      WeakLimits few = limits;
      if (!execution.unique) few.ways = glance_ ? kFewWays : kFirstWays;
      Choice choice = choose_sources(execution, level_.judge, few);
      if (stronger && choice.finding.verdict == Verdict::unknown) {
        if (sequential_instead(history, **model, rest_of(options, limits), result)) return;
        choice = choose_sources(execution, level_.judge, limits);
      }
      // Each way fails for a reason of its own: what is named must refute them all.
      if (!choice.involved.empty() && choice.finding.verdict == Verdict::invalid) {
        if (auto refutation = refuted_by(execution, level_.judge, limits, choice)) {
          Violation& shown = *refutation->choice.finding.violation;
          for (AccessId i = 0; i < refutation->part.accesses.size(); ++i) shown.others.push_back(i);
          result.anomalies.push_back(to_anomaly(refutation->part, shown, refutation->choice.sources));
          choice.finding.violation.reset();
        }
      }
      finding = std::move(choice.finding);
      sources = std::move(choice.sources);
    }
    result.verdict = finding.verdict;
    result.reason = finding.reason;
    if (finding.violation) result.anomalies.push_back(to_anomaly(execution, *finding.violation, sources));
    result.details.set("sessions", static_cast<std::int64_t>(execution.sessions.size()));
    measure_staleness(execution, result);
  }

  // Which write each read saw is a long search when values are repeated and there are many; but most histories are
  // linearizable, which is found out quickly, and then they keep every level that has sources.
  static bool linearizable_instead(const History& history, const CheckOptions& options, CheckResult& result) {
    constexpr std::size_t kMany = 500;
    if (result.operations < kMany) return false;
    CheckOptions first = options;
    first.consistency = "linearizable";
    first.algorithm = "auto";
    first.certificate = false;
    first.timeout = options.timeout.count() > 0 ? options.timeout / 2 : std::chrono::milliseconds(20'000);
    if (linearizable_checker()->check(history, first).verdict != Verdict::valid) return false;
    result.algorithm = "linearizable";
    result.verdict = Verdict::valid;
    return true;
  }

  // The options with what is left of the time, and not too much of it: what is not sequential is still to be decided.
  static CheckOptions rest_of(CheckOptions options, const WeakLimits& limits) {
    constexpr std::chrono::milliseconds kMost{10'000};
    const auto left = options.timeout.count() > 0 ? Deadline(limits.deadline).remaining() : kMost;
    options.timeout = std::clamp(left, std::chrono::milliseconds(1), kMost);
    return options;
  }

  // A search for one order of all operations learns where that over sources tries one way after the other.
  static bool sequential_instead(const History& history, const lin::Model& model, const CheckOptions& options,
                                 CheckResult& result) {
    if (!sequential_at_a_glance(history, model, options)) return false;
    result.algorithm = "sequential";
    result.verdict = Verdict::valid;
    return true;
  }

  static void measure_staleness(const Execution& execution, CheckResult& result) {
    const auto stalest = largest_staleness(execution);
    if (!stalest) return;
    Value one = Value::map();
    one.set("ms", static_cast<double>(stalest->ns) / 1e6);
    one.set("read", execution.history->index(execution.accesses[stalest->read].inv));
    one.set("replaced-by", execution.history->index(execution.accesses[stalest->replaced_by].inv));
    result.details.set("largest-staleness", std::move(one));
  }

  const Level level_;
  const bool glance_;
};

}  // namespace

const std::vector<WeakLevel>& weak_levels() {
  static const std::vector<WeakLevel> all = [] {
    std::vector<WeakLevel> out;
    for (const Level& level : table()) out.push_back(level.info);
    return out;
  }();
  return all;
}

std::shared_ptr<const Checker> weak_checker(std::string_view level) {
  for (const Level& one : table()) {
    if (one.info.name == level) return std::make_shared<WeakChecker>(one);
  }
  if (level == "strongest") return strongest_checker();
  if (const auto bound_ns = time_bound_ns(level, kEventualT)) {
    return std::make_shared<WeakChecker>(
        Level{{std::string(level), "", true}, nullptr, [bound_ns](const Execution& execution, const WeakLimits&) {
                return judge_eventual(execution, bound_ns);
              }});
  }
  if (auto checker = bounded_staleness_checker(level)) return checker;
  return k_atomic_checker(level);
}

CheckResult glance_at_ccv(const History& history, const CheckOptions& options) {
  const auto level =
      std::find_if(table().begin(), table().end(), [](const Level& one) { return one.info.name == "causal-ccv"; });
  return WeakChecker(*level, true).check(history, options);
}

std::vector<AnomalyEntry> weak_anomalies() {
  std::vector<AnomalyEntry> out;
  for (const auto& some :
       {source_anomalies(), causal_anomalies(), session_anomalies(), real_time_anomalies(), eventual_anomalies(),
        k_atomic_anomalies(), bounded_staleness_anomalies(), regular_anomalies()}) {
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

}  // namespace ordeal
