#include "checkers/consistency/sequential.h"

#include <algorithm>
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

// A part of what is left of the time of a check; `unlimited` when it has no limit.
std::chrono::milliseconds share(std::chrono::milliseconds left, int of, std::chrono::milliseconds unlimited) {
  return left.count() > 0 ? std::max(left / of, std::chrono::milliseconds(1)) : unlimited;
}

// What is linearizable is sequential, and what is not causally convergent is not. Both are found out quickly where the
// search would be long.
bool ask_neighbours(const History& history, const lin::Model& model, CheckOptions options, const Limits& time,
                    CheckResult& result) {
  constexpr std::size_t kMany = 500;
  if (result.operations < kMany) return false;
  options.algorithm = "auto";
  options.timeout = share(time.time_left(), 3, std::chrono::milliseconds(20'000));
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
  options.timeout = share(time.time_left(), 3, std::chrono::milliseconds(20'000));
  CheckResult found = glance_at_ccv(history, options);
  if (found.verdict != Verdict::invalid) return false;
  result.verdict = Verdict::invalid;
  result.algorithm = "causal-ccv";
  result.anomalies = std::move(found.anomalies);
  return true;
}

SequentialLimits limits_of(const CheckOptions& options, const Limits& time) {
  SequentialLimits limits;
  if (const auto left = time.time_left(); left.count() > 0) limits.deadline = std::chrono::steady_clock::now() + left;
  limits.memory_bytes = options.memory_bytes > 0 ? options.memory_bytes : usable_memory();
  limits.stop = options.stop;
  return limits;
}

Verdict short_search(const lin::Model& model, const SequentialSessions& sessions, const lin::Partition& parts,
                     SequentialLimits limits) {
  limits.configurations = 50'000;  // a tenth of a second's work
  return SequentialSearch(model, sessions, parts.keys.size(), limits).run();
}

bool ask_sources(const History& history, const SequentialSessions& sessions, CheckOptions options, const Limits& time,
                 CheckResult& result) {
  options.timeout = share(time.time_left(), 2, std::chrono::milliseconds(60'000));
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
    const Limits time(options.timeout, options.memory_bytes, options.stop);
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
    if (ask_neighbours(history, **model, options, time, result)) return result;
    const SequentialSessions sessions = sequential_sessions(history, **model, parts);
    const SequentialLimits limits = limits_of(options, time);
    // Most histories are short work for the search. Where it is lost, what learns comes first.
    if (lin::is_one_register(**model) && !options.certificate &&
        short_search(**model, sessions, parts, limits) == Verdict::unknown &&
        ask_sources(history, sessions, options, time, result)) {
      return result;
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

bool sequential_at_a_glance(const History& history, const lin::Model& model, const CheckOptions& options) {
  const lin::Partition parts = lin::partition(history, model);
  const SequentialSessions sessions = sequential_sessions(history, model, parts);
  const Limits time(options.timeout, options.memory_bytes, options.stop);
  const Verdict found = short_search(model, sessions, parts, limits_of(options, time));
  CheckResult result;
  return found == Verdict::valid ||
         (found == Verdict::unknown && ask_sources(history, sessions, options, time, result) &&
          result.verdict == Verdict::valid);
}

std::vector<AnomalyEntry> sequential_anomalies() {
  return {
      {"nonsequential", "no order of the operations keeps the order of each process and fits the model"},
  };
}

}  // namespace ordeal
