#include "checkers/consistency/k_atomic.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "checkers/consistency/by_key.h"
#include "checkers/consistency/execution.h"
#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/explain.h"
#include "checkers/linearizability/proof/minimise.h"
#include "checkers/linearizability/search/strategies.h"

namespace ordeal {
namespace {

using namespace lin;

constexpr std::size_t kMax = 16;

// The state is the last `k` values, the newest last.
class LastValues final : public Model {
 public:
  LastValues(std::unique_ptr<Model> one, std::size_t k) : one_(std::move(one)), k_(k) {}

  std::string_view name() const override { return "k-atomic register"; }
  Result<std::optional<Operation>> parse(OperationEvents op) const override { return one_->parse(op); }
  State initial() const override { return State(k_, one_->initial()[0]); }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    if (op.code == reg::kWrite) {
      State next(state.begin() + 1, state.end());
      next.push_back(static_cast<std::uint32_t>(op.a));
      successors.push_back(std::move(next));
      return;
    }
    const auto value = static_cast<std::uint32_t>(op.a);
    if (std::find(state.begin(), state.end(), value) != state.end()) {
      successors.push_back(state);
    } else if (std::find(state.begin(), state.end(), kAnyState) != state.end()) {
      State next = state;  // the initial value is now known
      std::replace(next.begin(), next.end(), kAnyState, value);
      successors.push_back(std::move(next));
    }
  }

  unsigned traits(const Operation& op) const override { return op.code == reg::kRead ? kPure : kTotal; }

  std::string describe(const State& state) const override {
    std::string out;
    for (const std::uint32_t value : state) out += (out.empty() ? "" : ", then ") + one_->describe(State{value});
    return out;
  }
  std::string describe(const Operation& op) const override { return one_->describe(op); }

 private:
  std::unique_ptr<Model> one_;
  std::size_t k_;
};

bool has_cas(const Partition& parts) {
  return std::any_of(parts.keys.begin(), parts.keys.end(), [](const KeyHistory& key) {
    return std::any_of(key.calls.begin(), key.calls.end(), [](const Call& c) { return c.op.code == reg::kCas; });
  });
}

class KAtomicChecker final : public Checker {
 public:
  KAtomicChecker(std::string level, std::size_t k) : level_(std::move(level)), k_(k) {}
  [[nodiscard]] std::string_view name() const override { return level_; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    const auto start = std::chrono::steady_clock::now();
    CheckResult result;
    result.checker = result.consistency = level_;
    result.model = options.model;
    result.algorithm = "race";
    judge(history, options, start, result);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  // One value is among the last k, and registers that are linearizable are decided much more quickly.
  static bool linearizable_anyway(const History& history, const Model& one, CheckOptions options, CheckResult& result) {
    constexpr std::size_t kMany = 1000;  // events
    if (history.size() < kMany || has_cas(partition(history, one))) return false;
    options.consistency = "linearizable";
    options.algorithm = "auto";
    options.certificate = false;
    options.timeout = options.timeout.count() > 0 ? options.timeout / 3 : std::chrono::milliseconds(20'000);
    const CheckResult found = linearizable_checker()->check(history, options);
    if (found.verdict != Verdict::valid) return false;
    result.verdict = Verdict::valid;
    result.algorithm = found.algorithm;
    result.operations = found.operations;
    result.keys = found.keys;
    return true;
  }

  void judge(const History& history, const CheckOptions& options, std::chrono::steady_clock::time_point start,
             CheckResult& result) const {
    auto one = make_model(history, options);
    if (!one) {
      result.reason = one.error().message;
      return;
    }
    if (!is_one_register(**one)) {
      result.reason =
          "the level " + level_ + " is judged for registers with one key an operation only, not for " + options.model;
      return;
    }
    if (linearizable_anyway(history, **one, options, result)) return;
    const LastValues model(std::move(*one), k_);
    const Partition parts = partition(history, model);
    if (!weak::can_be_judged(parts, result)) return;
    if (has_cas(parts)) {
      result.reason = "a cas has no meaning at the level " + level_;
      return;
    }
    const auto decide = [&](const weak::KeyQuestion& question) {
      Decision decision = find_strategy("race")->decide(question.key, question.budget, false);
      if (decision.verdict != Verdict::invalid) return decision;
      Budget time = question.minimising();
      Anomaly anomaly = explain(part_of(question.key, minimise(question.key, decision, time)), question.key);
      anomaly.type = "non-k-atomic";
      result.anomalies.push_back(std::move(anomaly));
      return decision;
    };
    weak::judge_by_key(parts, options, start, decide, result);
  }

  std::string level_;
  std::size_t k_;
};

}  // namespace

std::shared_ptr<const Checker> k_atomic_checker(std::string_view level) {
  constexpr std::string_view kPrefix = "k-atomic-";
  if (!level.starts_with(kPrefix)) return nullptr;
  const std::string_view digits = level.substr(kPrefix.size());
  std::size_t k = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), k);
  if (error != std::errc() || end != digits.data() + digits.size() || k < 1 || k > kMax) return nullptr;
  return std::make_shared<KAtomicChecker>(std::string(level), k);
}

std::vector<AnomalyEntry> k_atomic_anomalies() {
  return {
      {"non-k-atomic", "no order of the operations respects real time and lets each read see one of the last N values"},
  };
}

}  // namespace ordeal
