// Delta debugging (Zeller and Hildebrandt, 2002) with the checker as judge, after two steps that make it fast on long
// histories: only what was invoked before the failing return matters; and of a register's history mostly only what
// happened shortly before, together with whatever may explain it (links.h).

#include "checkers/linearizability/proof/minimise.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <numeric>
#include <optional>

#include "checkers/linearizability/proof/element.h"
#include "checkers/linearizability/proof/few_elements.h"
#include "checkers/linearizability/proof/links.h"
#include "checkers/linearizability/proof/window.h"
#include "checkers/linearizability/search/relaxation.h"
#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/search/strategies.h"

namespace ordeal::lin {
namespace {

// A candidate that takes more work than this is given up: of the thread, so that a busy machine makes no proof longer.
constexpr std::chrono::milliseconds kPerCandidate{500};
// Parts of a register's history larger than this are not looked for; they are made by leaving out instead.
constexpr std::size_t kMaxGrown = 4000;

// A part that has more than so many is only worth the effort where there is no window, and one with so few is small.
constexpr std::size_t kFewGrown = 256, kFew = 20;

class Minimiser {
 public:
  Minimiser(const KeyHistory& history, Budget& budget, std::size_t most = kMaxGrown)
      : history_(history),
        budget_(budget),
        most_(most),
        is_register_(is_one_register(*history.model)),
        links_(history),
        crashed_observe_(!is_register_) {}

  // Goes on from the culprits of a special case, ascending, adding nothing. Nothing: they prove nothing by themselves.
  std::optional<Calls> run_from(const Calls& culprits) {
    if (!accept(culprits)) return std::nullopt;
    reduce_all();
    return kept_;
  }

  // Of a register: from what happened shortly before. Nothing: that needs more than `most`.
  std::optional<Calls> run_from_the_end(const Decision& decision) {
    keep_until(decision.failed_at);
    if (!start_from(decision.culprits) && !start_from_the_end()) return std::nullopt;
    reduce_all();
    return kept_;
  }

  Calls run(const Decision& decision) {
    keep_until(decision.failed_at);
    if (!start_from(decision.culprits) && is_register_ && !start_from_the_end() && !is_invalid(kept_)) {
      // What crashed cas observe matters.
      crashed_observe_ = true;
      (void)start_from_the_end();
    }
    reduce_all();
    return kept_;
  }

  // Whether the part proves the violation, in either way of taking crashed cas.
  bool proves(const Calls& part) {
    for (const bool observe : {false, true}) {
      if (!observe && !is_register_) continue;
      crashed_observe_ = observe;
      if (links_.complete(part, observe) && is_invalid(part)) return true;
    }
    return false;
  }

 private:
  void keep_until(EventIndex failed_at) {
    for (CallIndex i = 0; i < history_.calls.size(); ++i) {
      if (history_.calls[i].inv < failed_at) kept_.push_back(i);
    }
    links_.drop_unfinished(kept_, failed_at);
  }

  void reduce_all() {
    std::size_t before = 0;
    do {
      before = kept_.size();
      reduce(units([&](CallIndex i) { return is_pure(i); }));
      reduce(units([&](CallIndex i) { return !links_.stays(i); }));
    } while (kept_.size() < before && !budget_.out_of_time());
  }

  bool is_pure(CallIndex i) const { return (history_.model->traits(history_.calls[i].op) & kPure) != 0; }

  bool is_invalid(const Calls& calls) {
    KeyHistory part = part_of(history_, calls);
    if (!crashed_observe_) {
      for (Call& call : part.calls) relax({Relaxation::Kind::count_all, 0}, call);
    }
    if (find_unexplained(part)) return true;
    Budget short_time(budget_, kPerCandidate);
    return on_one_thread(part).decide(part, short_time, false).verdict == Verdict::invalid;
  }

  // Goes on with `smaller` when it proves the violation too.
  bool accept(Calls smaller) {
    if (budget_.out_of_time() || !links_.complete(smaller, crashed_observe_) || !is_invalid(smaller)) return false;
    kept_ = std::move(smaller);
    return true;
  }

  bool start_from(Calls part) {
    if (part.empty()) return false;
    std::sort(part.begin(), part.end());
    part.erase(std::unique(part.begin(), part.end()), part.end());
    if (accept(part)) return true;
    if (!is_register_) return false;
    Calls grown = links_.completed(std::move(part), crashed_observe_, most_);
    return !grown.empty() && accept(std::move(grown));
  }

  bool start_from_the_end() {
    for (std::size_t want = 8; want < kept_.size() && want < most_; want *= 4) {
      if (start_from(Calls(kept_.end() - static_cast<std::ptrdiff_t>(want), kept_.end()))) return true;
    }
    return false;
  }

  // The kept calls that satisfy `wanted`, in groups that go together.
  template <class Wanted>
  std::vector<Calls> units(Wanted wanted) const {
    std::vector<Calls> out;
    boost::unordered_flat_map<std::int64_t, std::size_t> place;
    for (const CallIndex i : kept_) {
      if (!wanted(i)) continue;
      if (links_.together(i) < 0) {
        out.push_back({i});
        continue;
      }
      const auto [found, added] = place.try_emplace(links_.together(i), out.size());
      if (added) out.emplace_back();
      out[found->second].push_back(i);
    }
    return out;
  }

  // Leaves out units: large chunks first, down to single ones, until none can go.
  void reduce(std::vector<Calls> units) {
    for (std::size_t chunk = std::max<std::size_t>(1, units.size() / 2); !units.empty() && !budget_.out_of_time();) {
      bool any = false;
      for (std::size_t first = 0; first < units.size();) {
        const std::size_t last = std::min(units.size(), first + chunk);
        boost::unordered_flat_set<CallIndex> gone;
        for (std::size_t u = first; u < last; ++u) gone.insert(units[u].begin(), units[u].end());
        Calls smaller;
        for (const CallIndex i : kept_) {
          if (!gone.contains(i)) smaller.push_back(i);
        }
        if (accept(std::move(smaller))) {
          units.erase(units.begin() + static_cast<std::ptrdiff_t>(first),
                      units.begin() + static_cast<std::ptrdiff_t>(last));
          any = true;
        } else {
          first = last;
        }
        if (budget_.out_of_time()) return;
      }
      if (chunk == 1 && !any) return;
      chunk = std::max<std::size_t>(1, chunk / 2);
    }
  }

  const KeyHistory& history_;
  Budget& budget_;
  std::size_t most_;  // no larger part of a register's history is looked for
  bool is_register_;
  Links links_;
  bool crashed_observe_;  // false: crashed cas are taken for crashed writes, which may do more
  Calls kept_;
};

// Whether parts of the culprits are complete depends on those operations alone that write what a culprit observed.
// Where they are few, as with unique values, the rest of a long history need not be looked at.
std::optional<Calls> minimise_culprits(const KeyHistory& history, const Calls& culprits, Budget& budget) {
  if (!is_one_register(*history.model) || culprits.empty()) return std::nullopt;
  boost::unordered_flat_set<std::int64_t> observed;
  boost::unordered_flat_set<CallIndex> named(culprits.begin(), culprits.end());
  for (const CallIndex i : culprits) {
    if (reg::observes(history.calls[i].op)) observed.insert(history.calls[i].op.a);
  }
  Calls relevant, inner;
  for (CallIndex i = 0; i < history.calls.size(); ++i) {
    const Operation& op = history.calls[i].op;
    const bool culprit = named.contains(i);
    if (culprit) inner.push_back(static_cast<CallIndex>(relevant.size()));
    if (culprit || (reg::writes(op) && observed.contains(reg::written(op)))) relevant.push_back(i);
  }
  if (relevant.size() > history.calls.size() / 4) return std::nullopt;
  const KeyHistory part = part_of(history, relevant);
  auto found = Minimiser(part, budget).run_from(inner);
  if (!found) return std::nullopt;
  for (CallIndex& i : *found) i = relevant[i];
  return found;
}

// Of updates of one element of a set, those that somebody shows to be over need not be kept (element.h).
std::optional<Calls> minimise_element(const KeyHistory& history, const Calls& kept, Budget& budget) {
  const auto element = element_register(history, kept);
  if (!element) return std::nullopt;
  Budget short_time(budget, kPerCandidate);
  const Decision decision = on_one_thread(element->history).decide(element->history, short_time, false);
  if (decision.verdict != Verdict::invalid) return std::nullopt;
  Calls out = minimise(element->history, decision, budget);
  for (CallIndex& i : out) i = element->places[i];
  return out;
}

// The history of a container as it was after an event: what had not ended may not have happened.
KeyHistory container_until(const KeyHistory& history, EventIndex end) {
  KeyHistory out{history.history, history.model, history.key, {}};
  for (Call call : history.calls) {
    if (call.inv > end) break;
    if (call.ret > end && !call.crashed()) {
      if ((history.model->traits(call.op) & kPure) != 0) continue;
      call.ret = kNever;
      call.op.crashed = true;
      if (call.op.code == queue::kTake) call.op.a = kUnknown;
    }
    out.calls.push_back(call);
  }
  return out;
}

// The first event at which a container's history has no linearization, by halves; a later one when time ends early.
EventIndex first_failure(const KeyHistory& history, const Decision& decision, Budget& budget) {
  if (decision.failed_at != kNever) return decision.failed_at;
  std::vector<EventIndex> ends;
  for (const Call& call : history.calls) {
    if (!call.crashed()) ends.push_back(call.ret);
  }
  std::sort(ends.begin(), ends.end());
  const auto fails_at = [&](EventIndex end) {
    const KeyHistory part = container_until(history, end);
    for (const Strategy* strategy : {&on_one_thread(part), find_strategy("matching")}) {
      if (!strategy->objection(part).empty()) continue;
      Budget short_time(budget, kPerCandidate);
      const Verdict verdict = strategy->decide(part, short_time, false).verdict;
      if (verdict != Verdict::unknown) return verdict == Verdict::invalid;
    }
    return false;
  };
  // What fails at an event fails at all later ones.
  const auto first = std::partition_point(ends.begin(), ends.end(), [&](EventIndex end) { return !fails_at(end); });
  return first == ends.end() ? kNever : *first;
}

}  // namespace

std::chrono::steady_clock::time_point minimising_until(std::chrono::steady_clock::time_point start,
                                                       std::chrono::milliseconds timeout) {
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::steady_clock::time_point min = now + std::chrono::seconds(1), max = now + std::chrono::seconds(10);
  return timeout.count() > 0 ? std::clamp<std::chrono::steady_clock::time_point>(start + timeout, min, max) : max;
}

KeyHistory part_of(const KeyHistory& history, const Calls& calls) {
  KeyHistory part{history.history, history.model, history.key, {}};
  part.calls.reserve(calls.size());
  for (const CallIndex i : calls) part.calls.push_back(history.calls[i]);
  return part;
}

bool proves_violation(const KeyHistory& history, const Calls& calls, Budget& budget) {
  if (Minimiser(history, budget).proves(calls)) return true;
  const auto element = element_register(history, calls);
  if (!element) return false;
  Calls part;
  for (CallIndex i = 0; i < element->places.size(); ++i) {
    if (std::binary_search(calls.begin(), calls.end(), element->places[i])) part.push_back(i);
  }
  return part.size() == calls.size() && Minimiser(element->history, budget).proves(part);
}

Calls minimise(const KeyHistory& history, const Decision& decision, Budget& budget) {
  if (auto found = minimise_culprits(history, decision.culprits, budget)) return std::move(*found);
  Calls kept = Minimiser(history, budget).run(decision);
  if (auto fewer = minimise_element(history, kept, budget); fewer && fewer->size() < kept.size()) return *fewer;
  return kept;
}

Counterexample as_counterexample(const KeyHistory& history, const Window& window) {
  return {window.calls, window.from, window.minimal, view_of(history, window)};
}

bool proves(const KeyHistory& history, const Counterexample& one, Budget& budget) {
  const Elements& elements = one.view.elements;
  if (elements.empty() && one.from == 0 && proves_violation(history, one.calls, budget)) return true;
  if (are_window(history, one.calls, budget, elements)) return true;
  if (elements.size() != 1) return false;
  Calls all(history.calls.size()), part;
  std::iota(all.begin(), all.end(), CallIndex{0});
  const auto element = element_register(history, elements[0], all);
  if (!element) return false;
  for (CallIndex i = 0; i < element->places.size(); ++i) {
    if (std::binary_search(one.calls.begin(), one.calls.end(), element->places[i])) part.push_back(i);
  }
  return part.size() == one.calls.size() &&
         proves(element->history, Counterexample{std::move(part), one.from, false, {}}, budget);
}

Counterexample counterexample(const KeyHistory& history, const Decision& decision, Budget& budget) {
  Counterexample best;
  const auto is_better = [&](std::size_t size) { return best.calls.empty() || size < best.calls.size(); };
  const auto is_small = [&] { return !best.calls.empty() && best.calls.size() <= kFew; };
  const auto take = [&](Counterexample found) {
    if (is_better(found.calls.size())) best = std::move(found);
  };
  const auto take_window = [&](const std::optional<Window>& window) {
    if (window && is_better(window->calls.size())) take(as_counterexample(history, *window));
  };
  const auto finished = [&](Calls calls) { return Counterexample{std::move(calls), 0, !budget.out_of_time(), {}}; };
  const bool is_container = family_of(*history.model) == Family::containers;
  Decision known = decision;
  if (auto found = minimise_culprits(history, decision.culprits, budget)) take(finished(std::move(*found)));
  if (best.calls.empty() && is_one_register(*history.model)) {
    if (auto found = Minimiser(history, budget, kFewGrown).run_from_the_end(decision))
      take(finished(std::move(*found)));
  }
  if (is_container && !decision.culprits.empty()) {
    if (auto found = Minimiser(history, budget).run_from(decision.culprits)) take(finished(std::move(*found)));
  }
  if (is_small()) return best;
  if (history.calls.size() > kFew) {
    if (is_container && has_windows(history)) known.failed_at = first_failure(history, decision, budget);
    const auto window = find_window(history, known.failed_at, budget);
    take_window(window);
    if (!is_small()) {
      if (auto found = about_few_elements(history, known, budget)) take(std::move(*found));
    }
    if (!is_small() && !window) take_window(reduce_window(history, {decision.culprits, 0, kNever, false, {}}, budget));
  }
  return best.calls.empty() ? finished(minimise(history, decision, budget)) : best;
}

}  // namespace ordeal::lin
