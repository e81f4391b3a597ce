#include "checkers/consistency/sequential.h"

#include <chrono>

#include "base/limits.h"
#include "checkers/consistency/execution.h"
#include "checkers/consistency/sequential_proof.h"
#include "checkers/consistency/sequential_search.h"
#include "checkers/consistency/sequential_sources.h"
#include "checkers/consistency/weak.h"
#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/models/model.h"

namespace ordeal {
namespace {

// What is linearizable is sequential, and what is not causally convergent is not. Both are found out quickly where the
// search would be long.
bool ask_neighbours(const History& history, const lin::Model& model, CheckOptions options, CheckResult& result) {
  constexpr std::size_t kMany = 500;
  if (result.operations < kMany) return false;
  options.algorithm = "auto";
  options.timeout = options.timeout.count() > 0 ? options.timeout / 3 : std::chrono::milliseconds(20'000);
  // Linearizability is local, so several keys have a common order, too; but it would have to be put together.
  if (!options.certificate || result.keys == 1) {
    options.consistency = "linearizable";
    CheckResult found = linearizable_checker()->check(history, options);
    if (found.verdict == Verdict::valid) {
      result.verdict = Verdict::valid;
      result.algorithm = "linearizable";
      result.certificate = std::move(found.certificate);
      return true;
    }
  }
  if (!lin::is_one_register(model)) return false;
  options.consistency = "causal-ccv";
  CheckResult found = weak_checker("causal-ccv")->check(history, options);
  if (found.verdict != Verdict::invalid) return false;
  result.verdict = Verdict::invalid;
  result.algorithm = "causal-ccv";
  result.anomalies = std::move(found.anomalies);
  return true;
}

// A tenth of a second's work.
constexpr std::size_t kFewConfigurations = 50'000;

bool ask_sources(const History& history, const SequentialSessions& sessions, CheckOptions options,
                 CheckResult& result) {
  options.timeout = options.timeout.count() > 0 ? options.timeout / 2 : std::chrono::milliseconds(60'000);
  SequentialAnswer found = sequential_by_sources(history, sessions, options);
  if (found.verdict == Verdict::unknown) return false;
  result.verdict = found.verdict;
  result.algorithm = "sources";
  if (found.anomaly) result.anomalies.push_back(*std::move(found.anomaly));
  return true;
}

class SequentialChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "sequential"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    const auto start = std::chrono::steady_clock::now();
    CheckResult result = judged(history, options);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  static CheckResult judged(const History& history, const CheckOptions& options) {
    CheckResult result;
    result.checker = "sequential";
    result.model = options.model;
    result.consistency = "sequential";
    result.algorithm = "dfs";
    const auto model = lin::make_model(history, options);
    if (!model) {
      result.reason = model.error().message;
      return result;
    }
    const lin::Partition parts = lin::partition(history, **model);
    if (!weak::can_be_judged(parts, result)) return result;
    if (ask_neighbours(history, **model, options, result)) return result;
    const SequentialSessions sessions = sequential_sessions(history, **model, parts);
    SequentialLimits limits;
    if (options.timeout.count() > 0) limits.deadline = std::chrono::steady_clock::now() + options.timeout;
    limits.memory_bytes = options.memory_bytes > 0 ? options.memory_bytes : usable_memory();
    limits.stop = options.stop;
    // Most histories are short work for the search. Where it is lost, what learns comes first.
    if (lin::is_one_register(**model) && !options.certificate) {
      SequentialLimits few = limits;
      few.configurations = kFewConfigurations;
      SequentialSearch first(**model, sessions, parts.keys.size(), few);
      if (first.run() == Verdict::unknown && ask_sources(history, sessions, options, result)) return result;
    }
    SequentialSearch search(**model, sessions, parts.keys.size(), limits);
    result.verdict = search.run();
    if (result.verdict == Verdict::unknown) {
      result.reason = search.reason();
    } else if (result.verdict == Verdict::valid && options.certificate) {
      result.certificate.emplace_back().second = search.order();
    } else if (result.verdict == Verdict::invalid) {
      result.anomalies.push_back(explain_nonsequential(history, **model, parts, sessions, limits));
    }
    return result;
  }
};

}  // namespace

std::shared_ptr<const Checker> sequential_checker() { return std::make_shared<SequentialChecker>(); }

std::vector<AnomalyEntry> sequential_anomalies() {
  return {
      {"nonsequential", "no order of the operations keeps the order of each process and fits the model"},
  };
}

}  // namespace ordeal
