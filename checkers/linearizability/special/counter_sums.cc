// counter-sums: counters to which different numbers are added, none of them negative (or none positive), with exact
// reads.
//
// The counter never falls, so the reads have to take effect in the order of their values; reads of one value form a
// group, between which and the next one there is at least one addition. What remains to be found is the gap between two
// groups into which each addition goes:
//
//   - not before a group of which a read had returned when it was invoked, and not behind a group of which a read was
//     invoked when it had returned: an interval of gaps for each addition;
//   - never before the gap of an addition that had returned when it was invoked;
//   - and what was added up to a group is the value that the group read.
//
// Given gaps that keep to this, additions of one gap by invocation, then the reads of the group, is an order that
// explains the history; and an order that explains it has such gaps. So the groups are walked through with the sets of
// additions that may have happened before each. Only those whose interval is open at the group can differ, as many as
// were concurrent with its reads, and those that crashed. Of two additions of one number of which one was both invoked
// and returned earlier (crashed: never), that one goes first: exchanging the two keeps all of the above. So of the
// crashed ones it is enough to know how many of each number happened.
//
// The number of sets may still be large where many additions crashed. So the walk keeps a bounded number of sets, those
// in which crashed additions made up the least (they can make up more later, but what had to be made up by one that
// must happen is too much then) and the extra ones would have had to happen soonest; and of the ways in which crashed
// additions come to one sum just a few, since which ones they were matters only when those of a number run out. Where
// no set is left it goes back a little and is wider until it is past that group, then further back: what was let go of
// wrongly mostly was so shortly before, as extra additions do not stay so for long. When that does not help either it
// starts again with more. Only a walk that let go of none refutes. Finding out is NP-hard in general (subset sum), with
// few different numbers it is not.
//
//   100,000 operations of 10 clients, amounts 1 to 5, 5 % crashed: of 24,038 groups the walk goes back from five, and
//   by 16 groups and with 64 sets at most.
//
// Cost: O(n log n + groups · sets · solutions of a gap). Tested by tests/checkers/linearizability/special_cases_test.cc
// against plain enumeration.

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <optional>

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/counter_numbers.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

constexpr std::size_t kFirstWidth = 4;
constexpr std::size_t kWider = 4, kMostWider = 256;       // where a walk goes back
constexpr std::size_t kFirstBack = 4, kMostBack = 1'024;  // groups
constexpr std::size_t kTriesAWay = 256;
constexpr std::int64_t kLargestSum = std::int64_t{1} << 61;  // of all that is added, so that nothing overflows

// The reads of one value.
struct Group {
  std::int64_t sum = 0;  // what was added until then, as a number that is not negative
  std::vector<CallIndex> reads;
};

// An addition and the gaps into which it may go: gap g lies before group g, the last one behind all groups.
struct Addition {
  CallIndex call = 0;
  std::int64_t amount = 0;
  EventIndex inv = 0, ret = kNever;
  std::uint32_t first = 0, last = 0;  // crashed and in no gap by need: `last` is the number of groups + 1
};

// Crashed additions of one number.
struct Crashed {
  std::int64_t amount = 0;
  std::vector<std::uint32_t> members;  // by invocation
};

// What happened before a group besides the additions that must have.
struct Happened {
  std::vector<std::uint32_t> extra;  // additions that did not crash, rising
  std::vector<std::uint32_t> used;   // how many crashed ones, by kind
  std::int64_t sum = 0;              // of all these
  std::int64_t from_crashed = 0;     // of used: what they come to …
  std::uint32_t crashed = 0;         // … and how many they are
  std::uint32_t parent = 0;          // its place in the layer before
  std::uint64_t hurry = 0;           // the gaps in which the extra ones would have to go, summed up
  [[nodiscard]] bool same_extra(const Happened& other) const {
    return from_crashed == other.from_crashed && extra == other.extra;
  }
  friend bool operator<(const Happened& x, const Happened& y) {
    if (x.from_crashed != y.from_crashed) return x.from_crashed < y.from_crashed;
    if (x.hurry != y.hurry) return x.hurry < y.hurry;
    if (x.extra != y.extra) return x.extra < y.extra;
    return x.crashed != y.crashed ? x.crashed < y.crashed : x.used < y.used;
  }
  friend bool operator==(const Happened& x, const Happened& y) { return x.extra == y.extra && x.used == y.used; }
};

// Where a walk stands: which additions may have happened before a group.
struct Position {
  std::size_t entered = 0;             // additions that have come into their interval
  std::int64_t certain = 0;            // the sum of the additions that must have happened
  std::vector<std::uint32_t> open;     // those that may have and need not, without the crashed ones
  std::vector<std::uint32_t> crashed;  // by kind: how many may have
};

struct Layer {
  Position at;
  std::vector<Happened> sets;
  bool all = true;  // none was let go, here or before
};

class Walk {
 public:
  Walk(const KeyHistory& history, Budget& budget, bool want_order)
      : calls_(history.calls), budget_(budget), want_order_(want_order) {
    for (const Call& call : calls_) {
      if (call.op.code == counter::kAdd && call.op.a < 0) sign_ = -1;
    }
    start_ = *counter_start(history);
  }

  Decision decide() {
    if (auto wrong = make_groups()) return *std::move(wrong);
    if (auto wrong = make_intervals()) return *std::move(wrong);
    for (std::size_t width = kFirstWidth;; width *= 8) {
      Decision found = walk(width);
      budget_.give_back(std::exchange(charged_, 0));
      if (!found.too_narrow) return found;
    }
  }

 private:
  [[nodiscard]] static bool is_read(const Call& call) { return call.op.code == counter::kRead; }

  std::optional<Decision> make_groups() {
    std::map<std::int64_t, std::vector<CallIndex>> by_sum;
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (!is_read(calls_[i])) continue;
      std::int64_t sum = 0;
      if (__builtin_sub_overflow(calls_[i].op.a, start_, &sum) || std::abs(sum) > kLargestSum) return refuted({i});
      by_sum[sign_ * sum].push_back(i);
    }
    group_of_.assign(calls_.size(), 0);
    for (auto& [sum, reads] : by_sum) {
      for (const CallIndex read : reads) group_of_[read] = static_cast<std::uint32_t>(groups_.size());
      if (sum < 0) return refuted({reads.front()});
      groups_.push_back({sum, std::move(reads)});
    }
    return std::nullopt;
  }

  // The interval of each addition; a read of a smaller value that was invoked after a larger one had been returned.
  std::optional<Decision> make_intervals() {
    const auto groups = static_cast<std::uint32_t>(groups_.size());
    const std::vector<KeyEvent> events = events_of(calls_);
    std::vector<std::uint32_t> last(calls_.size(), groups + 1);
    std::uint32_t soonest = groups;  // the first group of which a read is invoked later, and that read
    std::vector<CallIndex> before(calls_.size(), kNoCall);
    CallIndex least = kNoCall;
    for (std::size_t e = events.size(); e-- > 0;) {
      const auto [call, is_return] = events[e];
      if (is_read(calls_[call])) {
        if (is_return || group_of_[call] >= soonest) continue;
        soonest = group_of_[call];
        least = call;
      } else if (is_return) {
        last[call] = soonest;
        before[call] = least;
      }
    }
    std::uint32_t first = 0;  // the gap behind the last group of which a read has returned
    CallIndex largest = kNoCall;
    std::map<std::int64_t, std::size_t> kinds;
    for (const auto& [call, is_return] : events) {
      if (!is_read(calls_[call])) {
        if (is_return || calls_[call].op.a == 0) continue;
        if (first > last[call]) return refuted_by_reads(largest, before[call]);
        const std::int64_t amount = sign_ * calls_[call].op.a;
        if (calls_[call].crashed()) {
          const auto [place, fresh] = kinds.try_emplace(amount, kinds_.size());
          if (fresh) kinds_.push_back({amount, {}});
          kinds_[place->second].members.push_back(static_cast<std::uint32_t>(additions_.size()));
        }
        additions_.push_back({call, amount, calls_[call].inv, calls_[call].ret, first, last[call]});
      } else if (!is_return) {
        if (group_of_[call] + 1 < first) return refuted_by_reads(largest, call);
      } else if (group_of_[call] + 1 > first) {
        first = group_of_[call] + 1;
        largest = call;
      }
    }
    // The largest numbers are tried first: small ones fit later, too.
    std::sort(kinds_.begin(), kinds_.end(), [](auto& x, auto& y) { return x.amount > y.amount; });
    return std::nullopt;
  }

  // A value had been returned before the read of a smaller one was invoked, or of the same one and something was added
  // in between. For those who look at these calls alone all additions belong to it: without them even one read would be
  // wrong.
  Decision refuted_by_reads(CallIndex earlier, CallIndex later) const {
    std::vector<CallIndex> culprits = {earlier, later};
    add_additions_until(calls_[later].ret, culprits);
    Decision out = refuted(std::move(culprits));
    out.failed_at = calls_[later].ret;
    return out;
  }
  void add_additions_until(EventIndex moment, std::vector<CallIndex>& culprits) const {
    for (CallIndex i = 0; i < calls_.size() && calls_[i].inv < moment; ++i) {
      if (!is_read(calls_[i])) culprits.push_back(i);
    }
  }

  // Where nothing is left the walk goes back a little, and is wider until it is past that group; then further back.
  Decision walk(std::size_t base) {
    std::deque<Layer> layers(1);
    layers.front().sets.emplace_back().used.assign(kinds_.size(), 0);
    layers.front().at.crashed.assign(kinds_.size(), 0);
    std::size_t width = base, back = kFirstBack;
    std::uint32_t past = 0;
    Decision out;
    for (std::uint32_t g = 0; g < groups_.size();) {
      std::optional<Layer> next = after(layers.back(), g, width, out);
      if (!next) return gave_up(std::move(out), budget_.reason());
      if (!next->sets.empty()) {
        if (++g > past) {
          width = base;
          back = kFirstBack;
        }
        if (!keeps(std::move(*next), layers)) return gave_up(std::move(out), "the memory limit was reached");
        continue;
      }
      if (next->all || width / base >= kMostWider || back > kMostBack) return dead_end(g, next->all, std::move(out));
      past = std::max(past, g);
      for (std::size_t i = 0; i < back && layers.size() > 1; ++i, --g) drop(layers);
      width *= kWider;
      back *= 2;
    }
    out.verdict = Verdict::valid;
    if (want_order_) out.order = order_of(layers);
    return out;
  }

  // The sets before group g, given those before the last one. Nothing: out of time.
  std::optional<Layer> after(const Layer& now, std::uint32_t g, std::size_t width, Decision& out) {
    Layer next;
    next.at = now.at;
    enter(g, next.at);
    let_go_ = false;
    limit_ = 8 * width;
    most_used_ = width / kFirstWidth;
    auto& sets = next.sets;
    for (std::uint32_t s = 0; s < now.sets.size(); ++s) {
      extend(now.sets[s], s, g, next.at, sets);
      if ((++out.steps & 63) == 0 && budget_.out_of_time()) return std::nullopt;
    }
    std::sort(sets.begin(), sets.end());
    sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
    std::size_t kept = 0, alike = 0;
    for (std::size_t i = 0; i < sets.size() && kept < width; ++i) {
      alike = kept > 0 && sets[i].same_extra(sets[kept - 1]) ? alike + 1 : 1;
      if (alike > most_used_) continue;
      if (i > kept) sets[kept] = std::move(sets[i]);
      ++kept;
    }
    next.all = now.all && !let_go_ && kept == sets.size();
    sets.resize(kept);
    out.peak = std::max<std::uint64_t>(out.peak, kept);
    return next;
  }

  void enter(std::uint32_t g, Position& at) const {
    for (; at.entered < additions_.size() && additions_[at.entered].first <= g; ++at.entered) {
      if (additions_[at.entered].ret != kNever) at.open.push_back(static_cast<std::uint32_t>(at.entered));
    }
    for (std::size_t k = 0; k < kinds_.size(); ++k) {
      const auto& members = kinds_[k].members;
      while (at.crashed[k] < members.size() && additions_[members[at.crashed[k]]].first <= g) ++at.crashed[k];
    }
    std::erase_if(at.open, [&](std::uint32_t a) {
      if (additions_[a].last > g) return false;
      at.certain += additions_[a].amount;
      return true;
    });
  }

  static Decision gave_up(Decision out, std::string why) {
    out.reason = std::move(why);
    return out;
  }
  // Takes a layer to the others and charges its memory; lets go of one that is not needed any more. False: too much.
  bool keeps(Layer layer, std::deque<Layer>& layers) {
    const std::size_t bytes = bytes_of(layer);
    layers.push_back(std::move(layer));
    if (!want_order_ && layers.size() > kMostBack + 1) {
      give_back(layers.front());
      layers.pop_front();
    }
    charged_ += bytes;
    return budget_.charge(static_cast<std::ptrdiff_t>(bytes));
  }
  void drop(std::deque<Layer>& layers) {
    give_back(layers.back());
    layers.pop_back();
  }
  void give_back(const Layer& layer) {
    const std::size_t bytes = std::min(charged_, bytes_of(layer));
    charged_ -= bytes;
    budget_.give_back(bytes);
  }
  static std::size_t bytes_of(const Layer& layer) {
    std::size_t words = layer.at.open.capacity() + layer.at.crashed.capacity();
    for (const Happened& one : layer.sets) words += one.extra.capacity() + one.used.capacity();
    return sizeof(Layer) + layer.sets.capacity() * sizeof(Happened) + words * sizeof(std::uint32_t);
  }

  Decision dead_end(std::uint32_t group, bool all, Decision out) const {
    out.too_narrow = !all;
    if (!all) return out;
    EventIndex moment = 0;
    for (const CallIndex read : groups_[group].reads) moment = std::max(moment, calls_[read].ret);
    std::vector<CallIndex> culprits;
    add_additions_until(moment, culprits);
    // Reads of larger values that had returned keep additions from being any earlier.
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (is_read(calls_[i]) && (group_of_[i] <= group || calls_[i].ret < moment)) culprits.push_back(i);
    }
    Decision wrong = refuted(std::move(culprits));
    wrong.steps = out.steps;
    wrong.peak = out.peak;
    return wrong;
  }

  // Appends what may have happened before group g, given what had before the last one.
  void extend(const Happened& before, std::uint32_t parent, std::uint32_t g, const Position& at,
              std::vector<Happened>& out) {
    sum_ = groups_[g].sum - at.certain;
    Happened here{{}, before.used, before.sum, before.from_crashed, before.crashed, parent, 0};
    for (const std::uint32_t a : before.extra) {
      if (additions_[a].last > g)
        here.extra.push_back(a);
      else
        here.sum -= additions_[a].amount;
    }
    for (const std::uint32_t a : here.extra) here.hurry += additions_[a].last - g;
    if (here.sum > sum_) return;
    if (here.sum == sum_) {
      out.push_back(std::move(here));
      return;
    }
    candidates_.clear();
    std::set_difference(at.open.begin(), at.open.end(), before.extra.begin(), before.extra.end(),
                        std::back_inserter(candidates_));
    rest_of_kinds_.assign(kinds_.size() + 1, 0);
    for (std::size_t k = kinds_.size(); k-- > 0;) {
      rest_of_kinds_[k] =
          rest_of_kinds_[k + 1] + kinds_[k].amount * static_cast<std::int64_t>(at.crashed[k] - here.used[k]);
    }
    rest_.assign(candidates_.size() + 1, rest_of_kinds_.front());
    for (std::size_t c = candidates_.size(); c-- > 0;) rest_[c] = rest_[c + 1] + additions_[candidates_[c]].amount;
    refused_.clear();
    choose(0, g, kNever, std::move(here), at, out);
  }

  // Decides about the candidates from `c` on, then about crashed ones. `until`: when the first of the refused ones
  // returned; who was invoked later has to be refused as well.
  void choose(std::size_t c, std::uint32_t g, EventIndex until, Happened here, const Position& at,
              std::vector<Happened>& out) {
    for (; c < candidates_.size(); ++c) {
      if (here.sum + rest_[c] < sum_) return;
      if (out.size() >= limit_) {
        let_go_ = true;
        return;
      }
      const Addition& one = additions_[candidates_[c]];
      if (one.inv > until) break;
      const std::size_t refused_before = refused_.size();
      if (here.sum + one.amount <= sum_ && !stands_behind_refused(one)) {
        Happened with = here;
        with.extra.insert(std::upper_bound(with.extra.begin(), with.extra.end(), candidates_[c]), candidates_[c]);
        with.sum += one.amount;
        with.hurry += one.last - g;
        if (with.sum == sum_)
          out.push_back(std::move(with));
        else
          choose(c + 1, g, until, std::move(with), at, out);
        refused_.resize(refused_before);
      }
      refused_.push_back(candidates_[c]);
      until = std::min(until, one.ret);
    }
    ways_ = tried_ = 0;
    use_crashed(0, until, here, at, out);
  }

  // Makes up the sum with crashed additions of the kinds from `k` on that were invoked before `until`, in a few ways:
  // which crashed ones come to a sum matters only where those of a number are used up. False: there may be more.
  bool use_crashed(std::size_t k, EventIndex until, Happened& here, const Position& at, std::vector<Happened>& out) {
    if (here.sum + rest_of_kinds_[k] < sum_) return true;
    const Crashed& kind = kinds_[k];
    if (ways_ > most_used_ || ++tried_ > kTriesAWay * most_used_ || out.size() >= limit_) {
      let_go_ = true;
      return false;
    }
    std::uint32_t more = 0;
    while (here.sum + (more + 1) * kind.amount <= sum_ && here.used[k] + more < at.crashed[k] &&
           additions_[kind.members[here.used[k] + more]].inv < until)
      ++more;
    bool all = true;
    for (std::uint32_t count = more + 1; all && count-- > 0;) {
      add(here, k, count);
      if (here.sum < sum_) {
        all = use_crashed(k + 1, until, here, at, out);
      } else if (ways_++ < most_used_) {
        out.push_back(here);
      } else {
        all = false;
        let_go_ = true;
      }
      add(here, k, -static_cast<std::int64_t>(count));
    }
    return all;
  }
  void add(Happened& here, std::size_t k, std::int64_t count) const {
    here.used[k] += static_cast<std::uint32_t>(count);
    here.crashed += static_cast<std::uint32_t>(count);
    here.sum += count * kinds_[k].amount;
    here.from_crashed += count * kinds_[k].amount;
  }

  // Whether an addition of the same number that was invoked earlier, which all refused ones were, and returned no later
  // was refused.
  [[nodiscard]] bool stands_behind_refused(const Addition& one) const {
    return std::any_of(refused_.begin(), refused_.end(), [&](std::uint32_t a) {
      return additions_[a].amount == one.amount && additions_[a].ret <= one.ret;
    });
  }

  std::vector<CallIndex> order_of(const std::deque<Layer>& layers) const {
    const auto groups = static_cast<std::uint32_t>(groups_.size());
    std::vector<std::uint32_t> gap(additions_.size());
    for (std::size_t a = 0; a < additions_.size(); ++a) gap[a] = additions_[a].last;
    std::uint32_t at = 0;
    for (std::uint32_t g = groups; g-- > 0;) {
      const Happened& happened = layers[g + 1].sets[at];
      for (const std::uint32_t a : happened.extra) gap[a] = std::min(gap[a], g);
      for (std::size_t k = 0; k < kinds_.size(); ++k) {
        for (std::uint32_t i = 0; i < happened.used[k]; ++i) gap[kinds_[k].members[i]] = g;
      }
      at = happened.parent;
    }
    std::vector<std::vector<CallIndex>> in_gap(groups + 1);
    for (std::size_t a = 0; a < additions_.size(); ++a) {
      if (gap[a] <= groups) in_gap[gap[a]].push_back(additions_[a].call);
    }
    std::vector<CallIndex> order;
    for (std::uint32_t g = 0; g <= groups; ++g) {
      order.insert(order.end(), in_gap[g].begin(), in_gap[g].end());
      if (g < groups) order.insert(order.end(), groups_[g].reads.begin(), groups_[g].reads.end());
    }
    return with_nothing_added(std::move(order));
  }

  // Puts the additions of 0 in: each right after all that was ordered before something that it preceded.
  std::vector<CallIndex> with_nothing_added(std::vector<CallIndex> order) const {
    std::vector<std::pair<EventIndex, CallIndex>> moments;
    EventIndex moment = 0;
    for (const CallIndex call : order) moments.emplace_back(moment = std::max(moment, calls_[call].inv), call);
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (!is_read(calls_[i]) && calls_[i].op.a == 0 && !calls_[i].crashed()) moments.emplace_back(calls_[i].inv, i);
    }
    std::stable_sort(moments.begin(), moments.end(), [](auto& x, auto& y) { return x.first < y.first; });
    for (std::size_t i = 0; i < moments.size(); ++i) {
      if (i < order.size())
        order[i] = moments[i].second;
      else
        order.push_back(moments[i].second);
    }
    return order;
  }

  const std::vector<Call>& calls_;
  Budget& budget_;
  bool want_order_;
  std::int64_t sign_ = 1, start_ = 0;
  std::size_t charged_ = 0;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> group_of_;  // by call
  std::vector<Addition> additions_;      // by invocation
  std::vector<Crashed> kinds_;           // by falling amount
  // Of the layer that is made.
  std::size_t limit_ = 0, most_used_ = 0;  // sets that are looked at, and ways to make up one sum with crashed ones
  bool let_go_ = false;
  // Of the set that is extended.
  std::int64_t sum_ = 0;  // what the additions come to that happened and need not have
  std::size_t ways_ = 0, tried_ = 0;
  std::vector<std::uint32_t> candidates_, refused_;
  std::vector<std::int64_t> rest_, rest_of_kinds_;  // by candidate, by kind: what it and those after it come to
};

class CounterSums final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "counter-sums"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (std::string why = counter_objection(history); !why.empty()) return why;
    bool rises = false, falls = false;
    std::int64_t whole = 0;
    for (const Call& call : history.calls) {
      if (call.op.code == counter::kRead) continue;
      if (call.op.code != counter::kAdd) return "there are other operations than add and read";
      if (std::abs(call.op.a / 2) > kLargestSum / 2 - whole / 2) return "huge numbers are added";
      whole += std::abs(call.op.a);
      rises |= call.op.a > 0;
      falls |= call.op.a < 0;
    }
    return rises && falls ? "numbers of both signs are added" : "";
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    return Walk(history, budget, want_order).decide();
  }
};

}  // namespace

std::unique_ptr<Strategy> counter_sums_strategy() { return std::make_unique<CounterSums>(); }

}  // namespace ordeal::lin
