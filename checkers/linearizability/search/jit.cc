// jit: breadth first, "just in time" (Lowe, Testing for linearizability, 2016): walk the events in order with the set
// of all configurations that explain what has returned so far (space.h). An operation is linearized only when a return
// demands it, after any others that it may need. The set is empty: no linearization, and the prefix that ends here is
// the shortest one that has none.
//
//   write 1 ----------|                invoke   {state nil, write pending}
//        read 1 --------|              invoke   (nothing changes)
//   write returns                      {state 1, write linearized, read absorbed}
//   read returns                       {state 1}
//
// Within one return, configurations are taken in the order of how many crashed operations they have used, and one that
// is dominated (space.h) is not looked at: that order is what keeps k crashed writes from costing 2^k.
//
// With a width the search is bounded (bounds.cc): from below it keeps only the most promising configurations of each
// state, so what it finds exists, and from above it replaces configurations of one state by their join (space.h), which
// can do whatever any of them can, so what it does not find does not exist. Either also notes whether it ever had to:
// if not, it was exact. When a search from below comes to an end, what it lacked was mostly left behind not long
// before: it goes back a little and tries again with more, and further back with even more, until it has passed the
// place. Memory: the configurations of one moment. Tested by lin_search_property_test against the oracle and all other
// algorithms.

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/search/witness.h"

namespace ordeal::lin {
namespace {

using Word = Space::Word;

constexpr std::uint32_t kNoLog = 0xFFFFFFFFu;

// How a configuration came about, for the witness.
struct Log {
  std::uint32_t parent;
  std::uint32_t op;
  std::uint32_t at;
};

// A set of configurations without those that others of it dominate; by state. With a limit, a state that has as many
// already takes no more (from below), or the new one is joined with the closest (from above).
class Antichain {
 public:
  struct Limit {
    Side side = Side::exact;
    std::size_t per_state = 0, in_all = 0;
  };
  Antichain(const Space& space, Limit limit) : space_(&space), limit_(limit) {}

  void set_limit(Limit limit) { limit_ = limit; }
  void clear() {
    words_.clear();
    logs_.clear();
    for (const StateId s : used_states_) groups_[s].clear();
    used_states_.clear();
  }
  // The number of the configuration that is new or has changed; kNone when one already there dominates it (or when
  // there is no room for it).
  static constexpr std::uint32_t kNone = 0xFFFFFFFFu;
  std::uint32_t add(const Word* c, std::uint32_t log) {
    const StateId state = Space::state(c);
    if (state >= groups_.size()) groups_.resize(state + state / 2 + 16);
    auto& group = groups_[state];
    for (const std::uint32_t i : group) {
      if (space_->dominates(at(i), c)) return kNone;
    }
    if (limit_.side == Side::below && (group.size() >= limit_.per_state || size() >= limit_.in_all)) {
      inexact_ = true;
      return kNone;
    }
    if (limit_.side == Side::above && group.size() >= limit_.per_state) {
      inexact_ = true;
      const std::uint32_t closest = *std::min_element(
          group.begin(), group.end(),
          [&](std::uint32_t x, std::uint32_t y) { return space_->distance(at(x), c) < space_->distance(at(y), c); });
      space_->join(at(closest), c);
      return closest;
    }
    if (limit_.side == Side::above && size() >= limit_.in_all) {
      overflown_ = inexact_ = true;
      return kNone;
    }
    if (group.empty()) used_states_.push_back(state);
    group.push_back(static_cast<std::uint32_t>(size()));
    words_.insert(words_.end(), c, c + space_->stride());
    logs_.push_back(log);
    return static_cast<std::uint32_t>(size() - 1);
  }
  // Fills `out` with the `width` most promising of each state, or at most `in_all`. False when some are left behind.
  bool best(std::size_t width, std::size_t in_all, Antichain& out) const {
    bool all = true;
    std::vector<std::pair<std::size_t, std::uint32_t>> chosen, ranked;
    for (const StateId s : used_states_) {
      ranked.clear();
      for (const std::uint32_t i : groups_[s]) {
        if (!overtaken(i)) ranked.emplace_back(space_->effort(at(i)), i);
      }
      std::sort(ranked.begin(), ranked.end());
      if (ranked.size() > width) all = false;
      ranked.resize(std::min(ranked.size(), width));
      chosen.insert(chosen.end(), ranked.begin(), ranked.end());
    }
    if (chosen.size() > in_all) {
      std::sort(chosen.begin(), chosen.end());
      chosen.resize(in_all);
      all = false;
    }
    out.clear();
    for (const auto& [effort, i] : chosen) (void)out.add(at(i), log(i));
    return all;
  }
  // From above: there were more states than are allowed, so that nothing can be concluded. Joins may make endlessly
  // many of states that grow, as those of queues do.
  [[nodiscard]] bool overflown() const { return overflown_; }
  // True when something was refused or joined.
  [[nodiscard]] bool inexact() const { return inexact_; }
  // True when one that was added later dominates number i.
  [[nodiscard]] bool overtaken(std::uint32_t i) const {
    const auto& group = groups_[Space::state(at(i))];
    for (auto j = group.rbegin(); j != group.rend() && *j > i; ++j) {
      if (space_->dominates(at(*j), at(i))) return true;
    }
    return false;
  }
  [[nodiscard]] std::size_t size() const { return logs_.size(); }
  [[nodiscard]] const Word* at(std::size_t i) const { return words_.data() + i * space_->stride(); }
  [[nodiscard]] Word* at(std::size_t i) { return words_.data() + i * space_->stride(); }
  [[nodiscard]] std::uint32_t log(std::size_t i) const { return logs_[i]; }
  [[nodiscard]] std::size_t bytes() const {
    return words_.capacity() * sizeof(Word) + logs_.capacity() * 4 + groups_.capacity() * sizeof(groups_[0]) +
           4 * size();
  }

 private:
  const Space* space_;
  std::vector<Word> words_;
  std::vector<std::uint32_t> logs_;
  std::vector<std::vector<std::uint32_t>> groups_;  // by state
  std::vector<StateId> used_states_;
  Limit limit_;
  bool inexact_ = false, overflown_ = false;
};

class Jit {
 public:
  Jit(const KeyHistory& history, Budget& budget, bool want_order, const Bounds& bounds)
      : history_(history),
        budget_(budget),
        charge_(budget),
        space_(history, budget, bounds.relaxation),
        want_order_(want_order),
        side_(bounds.side),
        width_(bounds.width),
        relaxed_(bounds.relaxation.kind != Relaxation::Kind::none),
        frontier_(space_, limit(side_, width_)),
        nodes_(space_, limit(side_, width_)),
        out_(space_, limit(side_, width_)) {}

  Decision run() {
    const auto first = space_.initial();
    frontier_.add(first.data(), kNoLog);
    const auto& events = space_.prepared.events;
    for (event_ = 0; event_ < events.size(); ++event_) {
      if (event_ % 1024 == 0 && budget_.out_of_time()) return give_up(budget_.reason());
      if (side_ == Side::below && event_ % kBetweenPlaces == 0) remember_place();
      const CallIndex call = events[event_].call;
      if (!events[event_].is_return) {
        space_.open(call);
        for (std::size_t i = 0; i < frontier_.size(); ++i) space_.absorb_opened(frontier_.at(i), call);
        continue;
      }
      if (!pass_all(call)) {
        if (const char* problem = linearize_until(call)) return give_up(*problem != '\0' ? problem : budget_.reason());
        if (nodes_.overflown() || out_.overflown()) return too_narrow();
        if (side_ != Side::below) {
          std::swap(frontier_, out_);
        } else if (!out_.best(factor_ * width_, kStatesAtOnce * factor_ * width_, frontier_)) {
          left_behind_ = true;
        }
      }
      space_.close(call);
      decision_.peak = std::max<std::uint64_t>(decision_.peak, frontier_.size());
      if (frontier_.size() == 0) {
        if (side_ == Side::below && inexact()) {
          if (go_back()) continue;
          return too_narrow();
        }
        decision_.verdict = Verdict::invalid;
        decision_.failed_at = space_.prepared.calls[call].ret;
        return decision_;
      }
    }
    if (relaxed_ || (side_ == Side::above && inexact())) return too_narrow();
    decision_.verdict = Verdict::valid;
    if (want_order_) decision_.order = full_order(space_, steps(frontier_.log(0)));
    return decision_;
  }

 private:
  // From below a closure may look at several times as many configurations as are kept of it.
  static constexpr std::size_t kRoom = 4, kStatesAtOnce = 16, kStatesInAll = 256;
  static Antichain::Limit limit(Side side, std::size_t width) {
    if (side == Side::above) return {side, width, kStatesInAll * width};
    return {side, kRoom * width, kStatesAtOnce * kRoom * width};
  }
  // From below: where it can go back to, and how much wider it is at the moment.
  struct Place {
    std::uint32_t event;
    std::vector<Word> words;
    std::vector<std::uint32_t> logs;
  };
  static constexpr std::uint32_t kBetweenPlaces = 32;
  static constexpr std::size_t kMaxPlaces = 40, kMaxFactor = 256;

  void remember_place() {
    if (event_ > furthest_ + 4 * kBetweenPlaces && factor_ > 1) widen(1);
    if (!places_.empty() && places_.back().event >= event_) return;
    if (places_.size() == kMaxPlaces) {
      // The longer ago, the fewer.
      std::size_t kept = 0;
      for (std::size_t i = 0; i < places_.size(); ++i) {
        if (i % 2 == 0 || i >= kMaxPlaces / 2) std::swap(places_[kept++], places_[i]);
      }
      places_.resize(kept);
    }
    Place place{event_, {}, {}};
    for (std::size_t i = 0; i < frontier_.size(); ++i) {
      place.words.insert(place.words.end(), frontier_.at(i), frontier_.at(i) + space_.stride());
      place.logs.push_back(frontier_.log(i));
    }
    places_.push_back(std::move(place));
  }

  void widen(std::size_t factor) {
    factor_ = factor;
    for (Antichain* set : {&frontier_, &nodes_, &out_}) set->set_limit(limit(side_, factor_ * width_));
  }

  // Requires: event_ is a return whose call has been closed, and nothing explains it. False: it is at its wits' end.
  bool go_back() {
    if (factor_ >= kMaxFactor || budget_.out_of_time()) return false;
    furthest_ = std::max(furthest_, event_);
    const std::uint32_t back = static_cast<std::uint32_t>(factor_) * kBetweenPlaces;
    while (places_.size() > 1 && places_.back().event + back > furthest_) places_.pop_back();
    if (places_.empty()) return false;
    widen(4 * factor_);
    const Place& place = places_.back();
    const auto& events = space_.prepared.events;
    for (std::uint32_t e = event_ + 1; e-- > place.event;) {
      events[e].is_return ? space_.reopen(events[e].call) : space_.unopen(events[e].call);
    }
    frontier_.clear();
    for (std::size_t i = 0; i < place.logs.size(); ++i)
      (void)frontier_.add(place.words.data() + i * space_.stride(), place.logs[i]);
    event_ = place.event - 1;  // the loop goes on with the next
    return true;
  }

  bool inexact() const { return left_behind_ || frontier_.inexact() || nodes_.inexact() || out_.inexact(); }

  // The common case: every configuration has already linearized or absorbed the call, and no other choice is left.
  bool pass_all(CallIndex call) {
    const std::size_t slot = space_.prepared.slot_of[call];
    const bool pure = (space_.prepared.traits[space_.prepared.class_of[call]] & kPure) != 0;
    for (std::size_t i = 0; i < frontier_.size(); ++i) {
      const Word* c = frontier_.at(i);
      if (!space_.is_linearized(c, slot) && !(pure && space_.is_absorbed(c, slot))) return false;
    }
    for (std::size_t i = 0; i < frontier_.size(); ++i) space_.clear(frontier_.at(i), slot);
    return true;
  }

  // Fills out_ with the configurations after the call's return. nullptr, "" (out of time) or a problem.
  const char* linearize_until(CallIndex call) {
    const std::size_t slot = space_.prepared.slot_of[call];
    const bool pure = (space_.prepared.traits[space_.prepared.class_of[call]] & kPure) != 0;
    nodes_.clear();
    out_.clear();
    for (auto& level : levels_) level.clear();
    level_ = 0;
    base_ = Space::total_used(frontier_.at(0));
    for (std::size_t i = 0; i < frontier_.size(); ++i) base_ = std::min(base_, Space::total_used(frontier_.at(i)));
    for (std::size_t i = 0; i < frontier_.size(); ++i) visit(frontier_.at(i), frontier_.log(i));
    current_.resize(space_.stride());
    after_.resize(space_.stride());
    for (level_ = 0; level_ < levels_.size(); ++level_) {
      while (!levels_[level_].empty()) {
        const std::uint32_t node = levels_[level_].back();
        levels_[level_].pop_back();
        if (++decision_.steps % 8 == 0) {
          if (budget_.out_of_time()) return "";
          if (!charge_.now(frontier_.bytes() + nodes_.bytes() + out_.bytes() + log_.capacity() * sizeof(Log))) {
            return "the memory limit was reached";
          }
        }
        if (nodes_.overflown()) return nullptr;
        if (nodes_.overtaken(node)) continue;
        std::copy_n(nodes_.at(node), space_.stride(), current_.begin());
        const std::uint32_t log = nodes_.log(node);
        const bool absorbed = space_.is_absorbed(current_.data(), slot);
        if (absorbed || space_.is_linearized(current_.data(), slot)) leave(current_.data(), slot, log);
        if (space_.is_linearized(current_.data(), slot) || (absorbed && pure)) continue;
        const auto remember = [&](std::uint32_t op) {
          if (!want_order_) return kNoLog;
          log_.push_back({log, op, event_});
          return static_cast<std::uint32_t>(log_.size() - 1);
        };
        space_.linearize(current_.data(), call, [&](const Word* c, std::uint32_t op) { leave(c, slot, remember(op)); });
        space_.expand(current_.data(), call, [&](const Word* c, std::uint32_t op) { visit(c, remember(op)); });
      }
    }
    return nullptr;
  }

  void visit(const Word* c, std::uint32_t log) {
    const std::uint32_t node = nodes_.add(c, log);
    if (node == Antichain::kNone) return;
    // A join may have used fewer than any that it was made of; it is then dealt with next.
    const std::uint32_t used = Space::total_used(nodes_.at(node));
    const std::size_t level = std::max<std::size_t>(used > base_ ? used - base_ : 0, level_);
    if (level >= levels_.size()) levels_.resize(level + 1);
    levels_[level].push_back(node);
  }

  void leave(const Word* c, std::size_t slot, std::uint32_t log) {
    std::copy_n(c, space_.stride(), after_.begin());
    space_.clear(after_.data(), slot);
    out_.add(after_.data(), log);
  }

  std::vector<Step> steps(std::uint32_t log) const {
    std::vector<Step> out;
    for (; log != kNoLog; log = log_[log].parent) out.push_back({log_[log].op, log_[log].at});
    std::reverse(out.begin(), out.end());
    return out;
  }

  Decision too_narrow() {
    decision_.too_narrow = true;
    decision_.narrow_only_by_relaxation = relaxed_ && !inexact();
    return give_up("a search with " + std::to_string(width_) + " configurations a state left it open");
  }

  Decision give_up(std::string why) {
    const auto& events = space_.prepared.events;
    const CallIndex call = events[std::min<std::size_t>(event_, events.size() - 1)].call;
    decision_.verdict = Verdict::unknown;
    decision_.reason = std::move(why) + " at event " +
                       std::to_string(history_.history->index(space_.prepared.calls[call].inv)) + " (" +
                       std::to_string(event_) + " of the key's " + std::to_string(events.size()) +
                       " events explained, " + std::to_string(frontier_.size()) + " configurations open)";
    return decision_;
  }

  const KeyHistory& history_;
  Budget& budget_;
  Charge charge_;
  Space space_;
  bool want_order_;
  Side side_;
  std::size_t width_;
  bool relaxed_;
  bool left_behind_ = false;
  std::size_t factor_ = 1;      // from below: how many times the width at present …
  std::uint32_t furthest_ = 0;  // … until this event lies well behind
  std::vector<Place> places_;
  Antichain frontier_, nodes_, out_;
  std::vector<std::vector<std::uint32_t>> levels_;  // nodes by crashed operations used
  std::vector<Word> current_, after_;
  std::vector<Log> log_;
  std::uint32_t base_ = 0;
  std::size_t level_ = 0;
  std::uint32_t event_ = 0;
  Decision decision_;
};

class JitStrategy final : public Strategy {
 public:
  std::string_view name() const override { return "jit"; }
  std::string objection(const KeyHistory&) const override { return ""; }
  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    return Jit(history, budget, want_order, {}).run();
  }
};

}  // namespace

Decision search_within(const Bounds& bounds, const KeyHistory& history, Budget& budget, bool want_order) {
  return Jit(history, budget, want_order, bounds).run();
}

std::unique_ptr<Strategy> jit_strategy() { return std::make_unique<JitStrategy>(); }

}  // namespace ordeal::lin
