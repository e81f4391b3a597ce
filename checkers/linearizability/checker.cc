#include "checkers/linearizability/checker.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <set>
#include <thread>

#include "base/limits.h"
#include "base/names.h"
#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/proof/certificate.h"
#include "checkers/linearizability/proof/explain.h"
#include "checkers/linearizability/proof/minimise.h"
#include "checkers/linearizability/search/strategies.h"

namespace ordeal {
namespace {

using namespace lin;

struct KeyResult {
  Decision decision;
  std::string algorithm;
  std::string without_order;  // why a valid key has no certificate, when one was asked for
};

// Of more keys than this the counterexamples are not minimised; one that is understood is worth more than a hundred.
constexpr std::size_t kMaxMinimised = 8;

class Check {
 public:
  Check(const History& history, const CheckOptions& options)
      : history_(history),
        options_(options),
        start_(std::chrono::steady_clock::now()),
        budget_(options.timeout.count() > 0 ? start_ + options.timeout : std::chrono::steady_clock::time_point::max(),
                options.memory_bytes > 0 ? options.memory_bytes : usable_memory(), options.stop) {
    result_.checker = "linearizable";
    result_.model = options.model;
    result_.consistency = "linearizable";
    result_.algorithm = options.algorithm;
  }

  CheckResult run() {
    const auto model = make_model(history_, options_);
    if (!model) return unknown(model.error().message);
    if (options_.algorithm != "auto" && find_strategy(options_.algorithm) == nullptr) {
      return unknown(unknown_name("algorithm", options_.algorithm, strategy_names()).message);
    }
    keys_ = partition(history_, **model);
    result_.operations = keys_.operations;
    result_.keys = keys_.keys.size();
    results_.resize(keys_.keys.size());
    decide_all();
    report();
    return finished();
  }

 private:
  CheckResult unknown(std::string why) {
    result_.verdict = Verdict::unknown;
    result_.reason = std::move(why);
    return finished();
  }
  CheckResult finished() {
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    return std::move(result_);
  }

  // Keys in parallel, the longest first.
  void decide_all() {
    std::vector<std::size_t> order(keys_.keys.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
      return keys_.keys[x].calls.size() > keys_.keys[y].calls.size();
    });
    std::vector<bool> skipped(keys_.keys.size(), false);
    for (const auto& [key, problem] : keys_.not_understood) skipped[key] = true;
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t i = next++; i < order.size(); i = next++) {
        if (!skipped[order[i]]) decide(order[i]);
      }
    };
    const unsigned wanted = options_.threads > 0 ? options_.threads : std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::jthread> threads;
    for (std::size_t t = 1; t < std::min<std::size_t>(wanted, order.size()); ++t) threads.emplace_back(work);
    work();
  }

  void decide(std::size_t k) {
    const KeyHistory& key = keys_.keys[k];
    KeyResult& out = results_[k];
    const Strategy& strategy = options_.algorithm == "auto" ? strategy_for(key) : *find_strategy(options_.algorithm);
    out.algorithm = strategy.name();
    if (const std::string objection = strategy.objection(key); !objection.empty()) {
      out.decision.reason = objection;
      return;
    }
    try {
      out.decision = strategy.decide(key, budget_, options_.certificate);
      if (options_.certificate) complete_order(key, out);
    } catch (const std::bad_alloc&) {
      out.decision = {};
      out.decision.reason = "the machine's memory was exhausted";
    }
  }

  // Some special cases prove that an order exists without finding one: for a certificate the general search finds it.
  void complete_order(const KeyHistory& key, KeyResult& out) {
    if (out.decision.verdict != Verdict::valid || !out.decision.order.empty()) return;
    const bool something_happened =
        std::any_of(key.calls.begin(), key.calls.end(), [](const Call& call) { return !call.crashed(); });
    if (!something_happened) return;
    Decision searched = find_strategy("race")->decide(key, budget_, true);
    if (searched.verdict == Verdict::valid) {
      out.decision.order = std::move(searched.order);
      if (out.decision.order.empty()) out.without_order = "it is valid by " + out.algorithm + ", which gives no order";
    } else if (searched.verdict == Verdict::invalid) {
      // One of the two is wrong, so nothing has been proved.
      out.decision = {};
      out.decision.reason = "the algorithms " + out.algorithm + " and race disagree; please report this";
    } else {
      out.without_order = "it is valid by " + out.algorithm + ", but no order was found: " + searched.reason;
    }
  }

  void report() {
    std::set<std::string> algorithms;
    explain_until_ = minimising_until(start_, options_.timeout);
    all_bad_ = static_cast<std::size_t>(std::count_if(results_.begin(), results_.end(), [](const KeyResult& one) {
      return one.decision.verdict == Verdict::invalid;
    }));
    std::size_t bad = 0, undecided = 0;
    std::uint64_t steps = 0, peak = 0;
    for (std::size_t k = 0; k < results_.size(); ++k) {
      const Decision& d = results_[k].decision;
      if (!results_[k].algorithm.empty()) algorithms.insert(results_[k].algorithm);
      steps += d.steps;
      peak = std::max(peak, d.peak);
      if (d.verdict == Verdict::invalid) report_anomaly(k, bad++);
      if (d.verdict == Verdict::unknown && undecided++ == 0) {
        result_.reason = about(k) + (d.reason.empty() ? "it was not decided" : d.reason);
      }
    }
    // The simplest explanation first.
    std::stable_sort(result_.anomalies.begin(),
                     result_.anomalies.begin() + static_cast<std::ptrdiff_t>(std::min(bad, kMaxMinimised)),
                     [](const Anomaly& a, const Anomaly& b) { return a.operations.size() < b.operations.size(); });
    if (!algorithms.empty()) {
      result_.algorithm.clear();
      for (const std::string& name : algorithms) result_.algorithm += (result_.algorithm.empty() ? "" : "+") + name;
    }
    result_.verdict = bad > 0 ? Verdict::invalid : Verdict::valid;
    if (bad == 0 && undecided > 0) result_.verdict = Verdict::unknown;
    if (bad == 0 && !keys_.not_understood.empty()) {
      result_.verdict = Verdict::unknown;
      result_.reason = keys_.not_understood.front().second.message;
      if (keys_.not_understood.size() > 1) {
        result_.reason += " (and " + std::to_string(keys_.not_understood.size() - 1) + " more operations)";
      }
    }
    if (result_.verdict == Verdict::valid) {
      result_.reason = nothing_observed(keys_);
      if (!result_.reason.empty()) result_.verdict = Verdict::unknown;
    }
    if (result_.verdict == Verdict::invalid) result_.reason.clear();
    result_.details.set("steps", static_cast<std::int64_t>(steps));
    result_.details.set("peak-configurations", static_cast<std::int64_t>(peak));
    result_.details.set("peak-bytes", static_cast<std::int64_t>(budget_.peak_bytes()));
    if (bad > 0) result_.details.set("invalid-keys", static_cast<std::int64_t>(bad));
    if (bad > 0 && undecided > 0) result_.details.set("undecided-keys", static_cast<std::int64_t>(undecided));
    if (options_.certificate && result_.verdict == Verdict::valid) certify();
  }

  std::string about(std::size_t k) const {
    const ValueId key = keys_.keys[k].key;
    return key == kNil ? std::string() : "key " + history_.values().to_json(key) + ": ";
  }

  // Half of the time that is left for all keys together, the last one all of it.
  std::chrono::steady_clock::time_point explaining_until(std::size_t number) const {
    if (number + 1 >= std::min(all_bad_, kMaxMinimised)) return explain_until_;
    const auto now = std::chrono::steady_clock::now();
    return now >= explain_until_ ? explain_until_ : now + (explain_until_ - now) / 2;
  }

  void report_anomaly(std::size_t k, std::size_t number) {
    const KeyHistory& key = keys_.keys[k];
    if (number >= kMaxMinimised) {
      Anomaly brief;
      brief.type = "nonlinearizable";
      if (key.key != kNil) brief.key = history_.values().to_value(key.key);
      const Decision& d = results_[k].decision;
      for (const CallIndex i : d.culprits) brief.operations.push_back(key.calls[i].inv);
      if (d.culprits.empty()) {
        for (const Call& call : key.calls) {
          if (call.inv < d.failed_at) brief.operations.push_back(call.inv);
        }
      }
      std::sort(brief.operations.begin(), brief.operations.end());
      brief.operations.erase(std::unique(brief.operations.begin(), brief.operations.end()), brief.operations.end());
      brief.explanation = "the operations of key " + history_.values().to_json(key.key) + " have no order that " +
                          result_.model + " allows; not minimised, since other keys were";
      result_.anomalies.push_back(std::move(brief));
      return;
    }
    Budget time(explaining_until(number), budget_.limit_bytes(), options_.stop);
    const Counterexample found = counterexample(key, results_[k].decision, time);
    KeyHistory part = part_of(key, found.calls);
    part.from = found.from;
    result_.anomalies.push_back(explain(part, key, found.view));
    if (!found.minimal) {
      result_.anomalies.back().sentences.push_back(
          "The time to look for fewer operations ended; some of these may not be needed.");
    } else if (found.calls.size() > 20) {
      result_.anomalies.back().sentences.push_back(
          "None of the " + std::to_string(found.calls.size()) +
          " can be left out: the others would have an order, or one of them may have seen what the one left out did.");
    }
  }

  void certify() {
    for (std::size_t k = 0; k < results_.size(); ++k) {
      if (results_[k].without_order.empty()) continue;
      result_.details.set("certificate", "none: " + about(k) + results_[k].without_order);
      return;
    }
    for (std::size_t k = 0; k < results_.size(); ++k) {
      std::vector<EventIndex> order;
      for (const CallIndex i : results_[k].decision.order) order.push_back(keys_.keys[k].calls[i].inv);
      result_.certificate.emplace_back(history_.values().to_value(keys_.keys[k].key), std::move(order));
    }
    // A certificate that does not hold would be a fault of a search: then nothing has been proved.
    const std::string problem = verify_certificate(history_, options_, result_);
    if (problem.starts_with("not verified")) {
      result_.details.set("certificate", problem);
    } else if (!problem.empty()) {
      result_.verdict = Verdict::unknown;
      result_.reason = "the certificate does not hold: " + problem + "; please report this";
    } else {
      result_.details.set("certificate", "verified");
    }
  }

  const History& history_;
  const CheckOptions& options_;
  std::chrono::steady_clock::time_point start_;
  Budget budget_;
  Partition keys_;
  std::vector<KeyResult> results_;
  std::chrono::steady_clock::time_point explain_until_;  // for all keys that are invalid
  std::size_t all_bad_ = 0;
  CheckResult result_;
};

class LinearizableChecker final : public Checker {
 public:
  std::string_view name() const override { return "linearizable"; }
  CheckResult check(const History& history, const CheckOptions& options) const override {
    return Check(history, options).run();
  }
};

}  // namespace

std::shared_ptr<const Checker> linearizable_checker() { return std::make_shared<LinearizableChecker>(); }

std::vector<AnomalyEntry> linearizable_anomalies() {
  return {
      {"nonlinearizable", "no order of the operations respects real time and the model"},
  };
}

}  // namespace ordeal
