#include "checkers/consistency/bounded_staleness.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>
#include <numeric>
#include <optional>
#include <tuple>

#include "checkers/consistency/by_key.h"
#include "checkers/consistency/execution.h"
#include "checkers/interfaces/time_bound.h"
#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/proof/minimise.h"
#include "checkers/linearizability/proof/told.h"
#include "checkers/linearizability/search/strategies.h"

namespace ordeal {
namespace {

using namespace lin;

constexpr std::int64_t kAnyAge = std::numeric_limits<std::int64_t>::max();

bool is_read(const KeyHistory& key, const Call& call) {
  const std::string_view f = key.history->f_name(call.inv);
  return (f == "read" || f == "get" || f == "contains") && (key.model->traits(call.op) & kPure) != 0;
}

// A key's history with reads that begin earlier. Its events are numbered anew, by their order.
struct Shifted {
  KeyHistory key;
  std::vector<CallIndex> origin;  // by call: which of the original it is
};

// Requires: bound_ns is kAnyAge, or times are known and do not step back.
Shifted shifted(const KeyHistory& key, std::int64_t bound_ns) {
  const History& h = *key.history;
  struct Moment {
    EventIndex before;  // the event before which it lies, or which it is
    bool exactly;
    EventIndex event;
    CallIndex call;
    bool end;
  };
  std::vector<EventIndex> events;
  for (const Call& call : key.calls) {
    events.push_back(call.inv);
    if (!call.crashed()) events.push_back(call.ret);
  }
  std::sort(events.begin(), events.end());
  std::vector<Moment> moments;
  for (CallIndex i = 0; i < key.calls.size(); ++i) {
    const Call& call = key.calls[i];
    Moment begin{call.inv, true, call.inv, i, false};
    if (is_read(key, call)) {
      const auto at = std::partition_point(events.begin(), events.end(), [&](EventIndex e) {
        return bound_ns != kAnyAge && e < call.inv && h.time(e) < h.time(call.inv) - bound_ns;
      });
      begin = {*at, false, call.inv, i, false};
    }
    moments.push_back(begin);
    if (!call.crashed()) moments.push_back({call.ret, true, call.ret, i, true});
  }
  std::sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) {
    return std::tuple(a.before, a.exactly, a.event) < std::tuple(b.before, b.exactly, b.event);
  });
  std::vector<Call> calls = key.calls;
  for (EventIndex place = 0; place < moments.size(); ++place) {
    Call& call = calls[moments[place].call];
    (moments[place].end ? call.ret : call.inv) = place;
  }
  Shifted out{{key.history, key.model, key.key, {}}, std::vector<CallIndex>(calls.size())};
  std::iota(out.origin.begin(), out.origin.end(), CallIndex{0});
  std::sort(out.origin.begin(), out.origin.end(),
            [&](CallIndex a, CallIndex b) { return calls[a].inv < calls[b].inv; });
  for (const CallIndex i : out.origin) out.key.calls.push_back(calls[i]);
  return out;
}

// An anomaly: operations that have no order even with earlier reads.
class Teller {
 public:
  Teller(const KeyHistory& key, std::vector<CallIndex> calls, const KeyHistory& earlier, std::int64_t bound_ns)
      : key_(key), told_(key), calls_(std::move(calls)), earlier_(earlier), bound_ns_(bound_ns) {}

  Anomaly run() {
    Anomaly out;
    out.type = "bound-exceeded";
    const History& h = *key_.history;
    if (key_.key != kNil) out.key = h.values().to_value(key_.key);
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      const Call& call = key_.calls[calls_[i]];
      out.operations.push_back(call.inv);
      out.graph.nodes.push_back({call.inv, told_.what(call) + "\n" + told_.who(call), is_read(key_, call), false});
      if (i < kMost) out.sentences.push_back(what_happened(call));
    }
    std::sort(out.operations.begin(), out.operations.end());
    if (calls_.size() > kMost) out.sentences.push_back("More operations belong to it; see the list.");
    out.sentences.push_back("No order within real time explains them" +
                            (bound_ns_ == kAnyAge ? ", however old what reads return may be."
                                                  : ", even if every read may return what was current up to " +
                                                        span_text(bound_ns_) + " before it began."));
    out.explanation = summary();
    draw(out);
    return out;
  }

 private:
  static constexpr std::size_t kMost = 6;

  std::string what_happened(const Call& call) const {
    std::string out = told_.who(call) + " invoked \"" + told_.what(call) + "\" at " + told_.moment(call.inv) +
                      (call.crashed() ? " and nobody knows whether it happened."
                                      : " and it completed at " + told_.moment(call.ret) + ".");
    out[0] = 'P';
    return out;
  }

  // A read, and a change that had ended longer ago than the bound: mostly that is all there is to it.
  std::string summary() const {
    for (const CallIndex r : calls_) {
      const Call& read = key_.calls[r];
      if (!is_read(key_, read) || bound_ns_ == kAnyAge) continue;
      const Call* newest = nullptr;
      for (const CallIndex w : calls_) {
        const Call& write = key_.calls[w];
        if (is_read(key_, write) || write.crashed() || write.ret > read.inv) continue;
        if (age(write, read) > bound_ns_ && (newest == nullptr || write.ret > newest->ret)) newest = &write;
      }
      if (newest == nullptr) continue;
      return "\"" + told_.what(read) + "\" of " + told_.who(read) + " at " + told_.moment(read.inv) + " began " +
             span_text(age(*newest, read)) + " after \"" + told_.what(*newest) + "\" of " + told_.who(*newest) +
             " had ended, and does not fit what was current in the " + span_text(bound_ns_) + " before it";
    }
    return std::to_string(calls_.size()) + " operations have no order that " + std::string(key_.model->name()) +
           " allows" + (bound_ns_ == kAnyAge ? "" : " with reads up to " + span_text(bound_ns_) + " late");
  }
  std::int64_t age(const Call& write, const Call& read) const {
    return key_.history->time(read.inv) - key_.history->time(write.ret);
  }

  // Which must come before which, with the reads' earlier beginnings, and where nothing lies between.
  void draw(Anomaly& out) const {
    constexpr std::size_t kMostNodes = 60;
    const auto& calls = earlier_.calls;
    const std::size_t n = std::min(calls.size(), kMostNodes);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        if (calls[i].crashed() || calls[i].ret >= calls[j].inv) continue;
        const bool between = std::any_of(calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(n),
                                         [&](const Call& k) { return calls[i].ret < k.inv && k.ret < calls[j].inv; });
        if (between) continue;
        const Call& to = key_.calls[calls_[j]];
        const bool late = is_read(key_, to) && bound_ns_ > 0 && bound_ns_ != kAnyAge;
        out.graph.edges.push_back(
            {i, j, "realtime",
             late ? "completed more than " + span_text(bound_ns_) + " before it began" : "completed before it began",
             false});
      }
    }
  }

  const KeyHistory& key_;
  Told told_;
  std::vector<CallIndex> calls_;  // of key_, in the order of earlier_'s calls
  const KeyHistory& earlier_;     // the same calls with earlier reads
  const std::int64_t bound_ns_;
};

class BoundedStalenessChecker final : public Checker {
 public:
  BoundedStalenessChecker(std::string level, std::int64_t bound_ns) : level_(std::move(level)), bound_ns_(bound_ns) {}
  [[nodiscard]] std::string_view name() const override { return level_; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    const auto start = std::chrono::steady_clock::now();
    CheckResult result;
    result.checker = result.consistency = level_;
    result.model = options.model;
    judge(history, options, start, result);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  void judge(const History& history, const CheckOptions& options, std::chrono::steady_clock::time_point start,
             CheckResult& result) const {
    const auto model = make_model(history, options);
    if (!model) {
      result.reason = model.error().message;
      return;
    }
    if (!(*model)->per_key()) {
      result.reason =
          "the level " + level_ + " is judged where reads stand alone, not for " + options.model + " with transactions";
      return;
    }
    const Partition parts = partition(history, **model);
    if (!weak::can_be_judged(parts, result)) return;
    const std::string times = no_times(history);
    const auto one = [&](const weak::KeyQuestion& question) {
      return times.empty() ? decide(question, bound_ns_, result) : decide_for_all_bounds(question, times, result);
    };
    weak::judge_by_key(parts, options, start, one, result);
  }

  // Tells the anomaly when it is invalid.
  static Decision decide(const weak::KeyQuestion& question, std::int64_t bound_ns, CheckResult& result) {
    const Shifted earlier = shifted(question.key, bound_ns);
    const Strategy& strategy = strategy_for(earlier.key);
    result.algorithm = strategy.name();
    Decision decision;
    try {
      decision = strategy.decide(earlier.key, question.budget, false);
      // Where a search ended it tells by the numbers of events, which are others here.
      if (decision.verdict == Verdict::unknown && question.budget.out_of_time())
        decision.reason = question.budget.reason();
      if (decision.verdict != Verdict::invalid) return decision;
      Budget time = question.minimising();
      const std::vector<CallIndex> minimal = minimise(earlier.key, decision, time);
      std::vector<CallIndex> calls;
      for (const CallIndex i : minimal) calls.push_back(earlier.origin[i]);
      result.anomalies.push_back(Teller(question.key, calls, part_of(earlier.key, minimal), bound_ns).run());
    } catch (const std::bad_alloc&) {
      decision = {};
      decision.reason = "the machine's memory was exhausted";
      return decision;
    }
    return decision;
  }

  // Without times: what every bound allows, and what none does.
  static Decision decide_for_all_bounds(const weak::KeyQuestion& question, const std::string& why,
                                        CheckResult& result) {
    result.algorithm = strategy_for(question.key).name();
    Decision strict = strategy_for(question.key).decide(question.key, question.budget, false);
    if (strict.verdict == Verdict::valid) return strict;
    Decision decision = decide(question, kAnyAge, result);
    if (decision.verdict == Verdict::valid) {
      decision.verdict = Verdict::unknown;
      decision.reason = why;
    }
    return decision;
  }

  const std::string level_;
  const std::int64_t bound_ns_;
};

}  // namespace

std::shared_ptr<const Checker> bounded_staleness_checker(std::string_view level) {
  const auto bound_ns = time_bound_ns(level, kBoundedStalenessT);
  return bound_ns ? std::make_shared<BoundedStalenessChecker>(std::string(level), *bound_ns) : nullptr;
}

std::vector<AnomalyEntry> bounded_staleness_anomalies() {
  return {
      {"bound-exceeded",
       "no order within real time explains the operations, even with reads as late as the bound allows"},
  };
}

}  // namespace ordeal
