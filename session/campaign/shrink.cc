#include "session/campaign/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "session/campaign/reductions.h"
#include "session/campaign/sequential_test.h"
#include "session/resolve_plan.h"

namespace ordeal {
namespace {

// A reduction is to show the anomaly as often as the run does, 19 times of 20 at most; one that shows it in less than
// two thirds of that is turned down.
constexpr double kOften = 0.95;
constexpr double kSeldom = 0.63;
constexpr double kError = 0.1;
constexpr std::size_t kMaxTrials = 40;  // of one reduction
constexpr std::size_t kFirst = 3;       // repetitions of the run as it is, when all of them show it
constexpr const char* kInterrupted = "interrupted";
constexpr int kMoreRounds = 1;   // of reductions, after an end that was not confirmed
constexpr int kMaxFailures = 3;  // one after the other

double often_of(const Rate& base) {
  return std::min(kOften, static_cast<double>(base.seen) / static_cast<double>(std::max<std::size_t>(1, base.of)));
}

std::int64_t median(std::vector<std::int64_t> numbers) {
  if (numbers.empty()) return 0;
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

// What is asked for, as one text.
std::string identity(const RunRequest& request) {
  std::string out;
  for (const auto* given : {&request.flags, &request.settings}) {
    for (const auto& [key, value] : *given) out += key + '\0' + value.text + '\0';
  }
  return out;
}

class Shrinker {
 public:
  Shrinker(const ShrinkLimits& limits, const ShrinkHost& host) : limits_(limits), host_(host), begin_s_(host.now_s()) {}

  Result<Shrunk> shrink(const RunRequest& request) {
    const auto plan = resolve(request);
    if (!plan) return fail(plan.error());
    if (!measure_base(request, *plan)) return out_;
    host_.say("the rule: " + told_rule(out_.base, limits_));
    taken_.push_back({request, *plan, size_});
    if (auto kept = keep_best(); !kept) return fail(kept.error());
    if (auto done = reduce(); !done) return fail(done.error());
    if (auto done = confirm(); !done) return fail(done.error());
    return out_;
  }

 private:
  struct Candidate {
    RunRequest request;
    Plan plan;
    RunSize size;
    Rate rate = {};  // when it was confirmed
    bool confirmed = false;
  };
  enum class Ended { often, seldom, cut };

  // Whether the anomaly shows again at all, and how often.
  bool measure_base(const RunRequest& request, const Plan& plan) {
    out_.request = request;
    ShrinkStep step{"the run as it is", {}, true, ""};
    std::size_t seen = 0, of = 0;
    clear();
    while (of < limits_.times && !(of >= kFirst && seen == of)) {
      const auto trial = play(plan, step, false);
      if (!trial) break;
      ++of;
      seen += *trial ? 1 : 0;
    }
    out_.base = step.rate = rate_of(seen, of);
    size_of_trials(plan);
    out_.size = size_;
    const std::string why = step.why;
    finish(std::move(step));
    if (!out_.stopped.empty()) return false;
    if (!why.empty()) {
      out_.failed = true;
      out_.stopped = why;
    } else if (seen == 0) {
      out_.stopped = "it was not seen again: " + told(out_.base);
    }
    return out_.stopped.empty();
  }

  // One repetition: whether the anomaly showed; nothing: there is no more to be had.
  std::optional<bool> play(const Plan& plan, ShrinkStep& step, bool keep) {
    for (int failures = 0; failures < kMaxFailures; ++failures) {
      if (!may_begin()) return std::nullopt;
      const double before = host_.now_s();
      const Trial trial = host_.play(plan, keep);
      last_s_ = host_.now_s() - before;
      switch (trial.outcome) {
        case Trial::Outcome::shown:
        case Trial::Outcome::hidden:
          faults_.push_back(trial.faults);
          operations_.push_back(trial.operations);
          return trial.outcome == Trial::Outcome::shown;
        case Trial::Outcome::interrupted:
          out_.stopped = kInterrupted;
          return std::nullopt;
        case Trial::Outcome::refused:
          step.why = "refused: " + trial.why;
          return std::nullopt;
        case Trial::Outcome::failed:
          step.why = "failed: " + trial.why;
          break;
      }
    }
    return std::nullopt;
  }

  // Whether there is time for one more, and afterwards for the confirmation.
  bool may_begin() {
    if (host_.stop.stop_requested()) {
      out_.stopped = kInterrupted;
    } else if (limits_.budget_s > 0) {
      const double reserve = confirming_ ? 0 : static_cast<double>(limits_.times) * best_s_;
      if (host_.now_s() - begin_s_ + last_s_ + reserve > limits_.budget_s) out_.stopped = "the budget is used up";
    }
    return out_.stopped.empty();
  }

  void clear() {
    faults_.clear();
    operations_.clear();
  }
  void size_of_trials(const Plan& plan) {
    size_ = {median(faults_), median(operations_), plan.time_limit_s, plan.concurrency, plan.nodes};
  }

  void finish(ShrinkStep step) {
    std::string line = step.what + ": " + (step.taken ? "" : "not taken, ") +
                       fmt::format("{} of {} show it", step.rate.seen, step.rate.of);
    if (!step.why.empty()) line += " (" + step.why + ")";
    host_.say(line);
    out_.steps.push_back(std::move(step));
  }

  // Round after round, one step in each respect, as long as a round takes something away. Who goes to the edge in one
  // respect first finds nothing to take in the others. Nothing else is begun with than next to no faults; where that
  // was not confirmed, with what was not tried of it.
  Result<void> reduce() {
    if (taken_.size() == 1) {
      if (auto took = reduce(Respect::few_faults); !took) return fail(took.error());
    }
    for (bool again = true; again && out_.stopped.empty();) {
      again = false;
      for (const Respect respect : kRespects) {
        auto took = reduce(respect);
        if (!took) return fail(took.error());
        again = again || *took;
      }
    }
    return {};
  }

  // The boldest reduction of one kind that holds. None is tried twice.
  Result<bool> reduce(Respect respect) {
    for (const Reduction& one : reductions(taken_.back().request, respect)) {
      if (!out_.stopped.empty()) break;
      if (!tried_.insert(identity(one.request)).second || !holds(one)) continue;
      if (auto kept = keep_best(); !kept) return fail(kept.error());
      return true;
    }
    return false;
  }

  bool holds(const Reduction& reduction) {
    ShrinkStep step{reduction.what, {}, false, ""};
    const auto plan = resolve(reduction.request);
    if (!plan) {
      step.why = plan.error().message;
      finish(std::move(step));
      return false;
    }
    const double often = often_of(out_.base);
    SequentialTest test(often, often * kSeldom, kError);
    clear();
    while (test.decision() == SequentialTest::Decision::open && test.of() < kMaxTrials) {
      const auto trial = play(*plan, step, false);
      if (!trial) break;
      test.add(*trial);
    }
    step.rate = rate_of(test.seen(), test.of());
    step.taken = test.decision() == SequentialTest::Decision::often;
    if (!step.taken && step.why.empty()) step.why = out_.stopped;
    if (step.taken) {
      size_of_trials(*plan);
      best_s_ = last_s_;
      taken_.push_back({reduction.request, *plan, size_});
    }
    const bool taken = step.taken;
    finish(std::move(step));
    return taken;
  }

  Result<void> keep_best() {
    const Candidate& best = taken_.back();
    out_.request = best.request;
    out_.size = best.size;
    out_.rate = best.rate;
    out_.confirmed = best.confirmed;
    out_.smaller = taken_.size() > 1;
    return out_.smaller ? host_.save(out_) : Result<void>{};
  }

  // Repetitions that took no part in the choice. What is not confirmed gives way to what was taken before it. What
  // looked good by chance stood in the way of other reductions, which are then tried; not for ever, as each end that is
  // put to the confirmation may pass it by chance. What was once confirmed stays.
  Result<void> confirm() {
    if (out_.stopped == kInterrupted) return {};
    std::string why = std::exchange(out_.stopped, "");
    for (int round = 0; round <= kMoreRounds; ++round) {
      const auto whole = confirm_or_give_way();
      if (!whole) return fail(whole.error());
      if (*whole || !why.empty() || !out_.stopped.empty() || round == kMoreRounds) break;
      if (auto done = reduce(); !done) return done;
      why = std::exchange(out_.stopped, "");
      if (why == kInterrupted) break;
    }
    if (has_confirmed() && !taken_.back().confirmed) {
      while (!taken_.back().confirmed) taken_.pop_back();
      if (auto kept = keep_best(); !kept) return kept;
    }
    if (out_.stopped.empty()) out_.stopped = why;
    return {};
  }

  [[nodiscard]] bool has_confirmed() const {
    return std::any_of(taken_.begin(), taken_.end(), [](const Candidate& one) { return one.confirmed; });
  }

  // Whether it was the best that was confirmed, or there was nothing to confirm. False also when there was no time.
  Result<bool> confirm_or_give_way() {
    bool whole = true;
    while (taken_.size() > 1 && !taken_.back().confirmed) {
      const Ended ended = confirm_best();
      if (ended == Ended::cut) return false;
      if (ended == Ended::seldom) {
        taken_.pop_back();
        whole = false;
      }
      if (auto kept = keep_best(); !kept) return fail(kept.error());
    }
    return whole;
  }

  Ended confirm_best() {
    ShrinkStep step{"confirmation", {}, false, ""};
    const auto needed = static_cast<std::size_t>(std::floor(often_of(out_.base) * static_cast<double>(limits_.times)));
    std::size_t seen = 0, of = 0;
    confirming_ = true;
    clear();
    const Plan plan = taken_.back().plan;
    // All of them, or as many as show that it is not to be.
    while (of < limits_.times && of - seen <= limits_.times - needed) {
      const auto trial = play(plan, step, true);
      if (!trial) break;
      ++of;
      seen += *trial ? 1 : 0;
    }
    confirming_ = false;
    step.rate = rate_of(seen, of);
    const bool whole = of == limits_.times;
    step.taken = whole && seen >= needed;
    const bool missed = of - seen > limits_.times - needed;
    if (step.taken) {
      size_of_trials(plan);
      taken_.back().size = size_;
      taken_.back().rate = step.rate;
      taken_.back().confirmed = true;
    }
    if (!step.taken && !missed && step.why.empty()) step.why = out_.stopped;
    const bool cut = !step.taken && !missed;
    const bool taken = step.taken;
    finish(std::move(step));
    return cut ? Ended::cut : taken ? Ended::often : Ended::seldom;
  }

  const ShrinkLimits& limits_;
  const ShrinkHost& host_;
  double begin_s_;
  double last_s_ = 0;  // how long the last repetition took
  double best_s_ = 0;  // the same of the best
  bool confirming_ = false;
  std::vector<Candidate> taken_;  // the run as it is, and what was taken after it
  std::set<std::string> tried_;
  std::vector<std::int64_t> faults_, operations_;  // of the repetitions of one candidate
  RunSize size_;
  Shrunk out_;
};

}  // namespace

std::string told_rule(const Rate& base, const ShrinkLimits& limits) {
  const double often = often_of(base);
  return fmt::format(
      "a reduction is taken when a sequential test (Wald, error {:.0f} % each way) says that it shows the anomaly in "
      "{:.0f} % of its repetitions rather than in {:.0f} %; the end is confirmed by {} more, of which {} have to show "
      "it",
      100 * kError, 100 * often, 100 * often * kSeldom, limits.times,
      std::floor(often * static_cast<double>(limits.times)));
}

Result<Shrunk> shrink(const RunRequest& request, const ShrinkLimits& limits, const ShrinkHost& host) {
  return Shrinker(limits, host).shrink(request);
}

}  // namespace ordeal
