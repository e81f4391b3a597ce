// zones-by-writer: a register of which some values are written more than once, where time tells nearly everywhere whose
// value a read saw. Each value is then split into one for each of its writers, which makes values unique, and zones
// decides (special/zones.cc).
//
//   - A read, or a cas, cannot have seen what was written by somebody who was invoked after it had returned, nor by
//     somebody who was overwritten for certain: some other write lies between the return of that writer and its own
//     invocation. Whose value is left is a choice.
//   - The history is linearizable exactly when some way to choose makes it so: a linearization tells the writer of each
//     value that was seen. That the register began with a value counts as a write of it before everything else.
//   - So it is for histories with few choices left: at most kMaxWays ways to make them all.
//
// What a crashed cas would have seen is a choice as well, made in vain when nobody saw what it wrote.
// Where no way fits, the general searches find the counterexample: zones' own would be about values that nobody wrote.
//
// Cost: O(n log n) each way. Tested by tests/checkers/linearizability/special_cases_test.cc against plain enumeration.

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/special/exclusion.h"
#include "checkers/linearizability/special/zones.h"

namespace ordeal::lin {
namespace {

constexpr std::uint64_t kMaxWays = 64;
constexpr CallIndex kBeginning = 0xFFFFFFFEu;  // the register began with the value

// Those who wrote one value that has several writers, by invocation; the beginning first.
struct Writers {
  std::vector<CallIndex> calls;
  std::vector<EventIndex> returned;  // the last return up to each
};

struct Choice {
  CallIndex observer = 0;
  std::vector<CallIndex> writers;  // none: nobody can have written it
};

class Choices {
 public:
  explicit Choices(const KeyHistory& history) : calls_(history.calls), initial_(history.model->initial()[0]) {
    find_writers();
    find_overwritten();
  }
  [[nodiscard]] bool repeated() const { return !writers_.empty(); }

  // Every observer of a value with several writers. False: there are too many ways to choose.
  bool find() {
    std::uint64_t ways = 1;
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (!reg::observes(calls_[i].op)) continue;
      const auto found = writers_.find(calls_[i].op.a);
      if (found == writers_.end()) continue;
      choices_.push_back({i, possible(found->second, calls_[i])});
      ways *= std::max<std::size_t>(1, choices_.back().writers.size());
      if (ways > kMaxWays) return false;
    }
    return true;
  }

  // One way after the other; false when all were given.
  bool next() {
    if (!begun_) {
      chosen_.assign(choices_.size(), 0);
      return begun_ = true;
    }
    for (std::size_t c = 0; c < choices_.size(); ++c) {
      if (++chosen_[c] < choices_[c].writers.size()) return true;
      chosen_[c] = 0;
    }
    return false;
  }

  // Gives every writer of a value that others wrote as well a value of its own, from `fresh` on.
  void split(std::vector<Call>& calls, std::int64_t fresh) const {
    const auto own = [&](CallIndex writer) -> std::int64_t {
      return writer == kBeginning ? static_cast<std::int64_t>(initial_) : fresh + 1 + writer;
    };
    for (const auto& [value, writers] : writers_) {
      for (const CallIndex w : writers.calls) {
        if (w != kBeginning) (calls[w].op.code == reg::kCas ? calls[w].op.b : calls[w].op.a) = own(w);
      }
    }
    for (std::size_t c = 0; c < choices_.size(); ++c) {
      const auto& from = choices_[c].writers;
      calls[choices_[c].observer].op.a = from.empty() ? fresh : own(from[chosen_[c]]);
    }
  }

 private:
  void find_writers() {
    std::vector<std::pair<std::int64_t, CallIndex>> written;
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (reg::writes(calls_[i].op)) written.emplace_back(reg::written(calls_[i].op), i);
    }
    std::sort(written.begin(), written.end());
    for (std::size_t i = 0, end = 0; i < written.size(); i = end) {
      while (end < written.size() && written[end].first == written[i].first) ++end;
      const bool began = written[i].first == static_cast<std::int64_t>(initial_);
      if (end - i == 1 && !began) continue;
      Writers& group = writers_[written[i].first];
      if (began) add(group, kBeginning, 0);
      for (std::size_t w = i; w < end; ++w) add(group, written[w].second, calls_[written[w].second].ret);
    }
  }
  static void add(Writers& group, CallIndex writer, EventIndex returned) {
    group.calls.push_back(writer);
    group.returned.push_back(group.returned.empty() ? returned : std::max(group.returned.back(), returned));
  }

  // soonest_[i]: the first return of those that write among the calls from i on.
  void find_overwritten() {
    soonest_.assign(calls_.size() + 1, kNever);
    for (std::size_t i = calls_.size(); i-- > 0;)
      soonest_[i] = reg::writes(calls_[i].op) ? std::min(soonest_[i + 1], calls_[i].ret) : soonest_[i + 1];
  }
  // Whether somebody wrote between what returned then and the observer.
  [[nodiscard]] bool overwritten(EventIndex returned, const Call& observer) const {
    if (returned == kNever) return false;
    const auto after =
        std::partition_point(calls_.begin(), calls_.end(), [&](const Call& c) { return c.inv <= returned; });
    return soonest_[static_cast<std::size_t>(after - calls_.begin())] < observer.inv;
  }

  [[nodiscard]] std::vector<CallIndex> possible(const Writers& group, const Call& observer) const {
    const auto later = std::partition_point(group.calls.begin(), group.calls.end(), [&](CallIndex w) {
      return w == kBeginning || calls_[w].inv < observer.ret;
    });
    std::vector<CallIndex> out;
    // The later one returned, the less can it have been overwritten.
    for (auto i = static_cast<std::size_t>(later - group.calls.begin());
         i-- > 0 && !overwritten(group.returned[i], observer);) {
      const CallIndex writer = group.calls[i];
      if (!overwritten(writer == kBeginning ? 0 : calls_[writer].ret, observer)) out.push_back(writer);
      if (out.size() > kMaxWays) break;
    }
    return out;
  }

  const std::vector<Call>& calls_;
  std::uint32_t initial_;
  boost::unordered_flat_map<std::int64_t, Writers> writers_;  // of values with several
  std::vector<EventIndex> soonest_;
  std::vector<Choice> choices_;
  std::vector<std::size_t> chosen_;
  bool begun_ = false;
};

class ZonesByWriter final : public Strategy {
 public:
  std::string_view name() const override { return "zones-by-writer"; }

  std::string objection(const KeyHistory& history) const override {
    if (!is_one_register(*history.model)) return "it decides registers and cas-registers only";
    if (history.model->initial()[0] == kAnyState) return "it needs a known initial value";
    for (const Call& call : history.calls) {
      if (call.op.code == reg::kCas && call.op.a == call.op.b) return "it cannot decide a cas from a value to itself";
    }
    Choices choices(history);
    if (!choices.repeated()) return "no value is written twice";
    return choices.find() ? "" : "too many operations may have seen the value of one writer or of another";
  }

  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    Choices choices(history);
    choices.find();
    Decision out;
    while (choices.next()) {
      KeyHistory split = history;
      choices.split(split.calls, static_cast<std::int64_t>(history.history->values().size()));
      Decision one = zones_->decide(split, budget, want_order);
      one.steps += out.steps;
      if (one.verdict != Verdict::invalid) return one;
      out.steps = one.steps;
      if (budget.out_of_time()) {
        out.reason = budget.reason();
        return out;
      }
    }
    const std::uint64_t steps = out.steps;
    out = race_->decide(history, budget, false);
    if (out.verdict == Verdict::unknown) {
      out = {};
      out.verdict = Verdict::invalid;
    } else if (out.verdict == Verdict::valid) {  // one of the two is wrong, so nothing has been proved
      out = {};
      out.reason = "the algorithms zones-by-writer and race disagree; please report this";
    }
    out.steps += steps;
    return out;
  }

 private:
  std::unique_ptr<Strategy> zones_ = zones_strategy(), race_ = race_strategy();
};

}  // namespace

std::unique_ptr<Strategy> zones_by_writer_strategy() { return std::make_unique<ZonesByWriter>(); }

}  // namespace ordeal::lin
