#pragma once
// Orders: is there an order of some operations, within real time, that a sequential specification explains?
//
// Just-in-time linearization (Gavin Lowe, "Testing for linearizability", Concurrency and Computation 29(4), 2017): the
// events are gone through in order with the set of all configurations: a state of the object, and which of the open
// operations have taken effect. An operation takes effect only when the end of one (itself or another) asks for it.
// What the specification says of an operation includes refusals: one that was refused is an operation that leaves the
// state alone and is possible in some states only.
//
//   Orders<std::int64_t> orders;                                     // a balance
//   orders.add(begin, end, [](const std::int64_t& money, auto& next) { if (money >= 5) next(money - 5); });
//   orders.judge(0, in).explained
//
// For objects of few concurrent operations: at most 64 open ones, those of unknown outcome included, and limits on
// configurations and steps; beyond them `gave_up`. Tested against trying all permutations. Thread-safety: one thread.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "checkers/workload/judgement.h"

namespace ordeal::work {

struct OrdersVerdict {
  bool explained = true;
  bool gave_up = false;
  std::size_t unexplained = 0;  // the number of the operation at whose end no configuration was left
};

// State: ordered by operator<.
template <class State>
class Orders {
 public:
  using Next = std::function<void(State)>;
  // Calls `next` with each state in which the operation may leave the object; not at all when it is impossible.
  using Step = std::function<void(const State&, const Next& next)>;

  // An operation from event `begin` to event `end`; kNoEvent: it may take effect at any time from then on, or never.
  // `only_looks`: it leaves every state as it is, so that it may take effect as soon as it can, which is no choice.
  void add(EventIndex begin, EventIndex end, Step step, bool only_looks = false) {
    operations_.push_back({begin, end, std::move(step), only_looks});
  }
  [[nodiscard]] std::size_t size() const { return operations_.size(); }
  // How many steps judge() may take.
  void limit(std::size_t steps) { max_steps_ = steps; }

  // Counts its steps as work of `in`, and so throws OutOfLimits. `without`: operations that are left out, by number;
  // `until`: later ends are not known.
  [[nodiscard]] OrdersVerdict judge(const State& initial, const Judgement& in, const std::vector<bool>& without = {},
                                    EventIndex until = kNoEvent) const {
    std::vector<std::pair<EventIndex, std::size_t>> events;  // an operation's number comes once for each of its events
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      if (!without.empty() && without[i]) continue;
      events.emplace_back(operations_[i].begin, i);
      if (operations_[i].end != kNoEvent && operations_[i].end <= until) events.emplace_back(operations_[i].end, i);
    }
    std::sort(events.begin(), events.end());
    Configurations now = {{initial, 0}};
    std::vector<std::size_t> open(kSlots, kFree);
    std::size_t steps = 0;
    for (const auto& [event, i] : events) {
      if (event == operations_[i].begin) {
        const auto slot = std::find(open.begin(), open.end(), kFree);
        if (slot == open.end()) return {true, true, i};
        *slot = i;
        continue;
      }
      const auto slot = static_cast<std::size_t>(std::find(open.begin(), open.end(), i) - open.begin());
      if (!finish(slot, open, now, steps, in)) return {true, true, i};
      if (now.empty()) return {false, false, i};
      open[slot] = kFree;
    }
    return {};
  }

  // Operations, by number, that no order explains, when all of them have none: those that began before the end of the
  // unexplained one, without those that `observes` says only look at the state and that are not needed.
  template <class Observes>
  [[nodiscard]] std::vector<std::size_t> proof(const State& initial, const Judgement& in, const OrdersVerdict& verdict,
                                               Observes&& observes) const {
    const EventIndex end = operations_[verdict.unexplained].end;
    std::vector<bool> without(size());
    for (std::size_t i = 0; i < size(); ++i) without[i] = operations_[i].begin > end;
    for (std::size_t i = 0; i < size(); ++i) {
      if (without[i] || !observes(i)) continue;
      without[i] = true;
      const OrdersVerdict fewer = judge(initial, in, without, end);
      without[i] = !fewer.gave_up && !fewer.explained;
    }
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < size(); ++i) {
      if (!without[i]) out.push_back(i);
    }
    return out;
  }

 private:
  static constexpr std::size_t kSlots = 64;
  static constexpr std::size_t kFree = static_cast<std::size_t>(-1);
  static constexpr std::size_t kMaxConfigurations = 100'000;
  using Configurations = std::set<std::pair<State, std::uint64_t>>;  // the bits: slots whose operation took effect

  // Lets others take effect until that of `slot` has. False when there are too many ways.
  bool finish(std::size_t slot, const std::vector<std::size_t>& open, Configurations& now, std::size_t& steps,
              const Judgement& in) const {
    std::vector<std::size_t> looks;
    for (std::size_t other = 0; other < open.size(); ++other) {
      if (open[other] != kFree && operations_[open[other]].only_looks) looks.push_back(other);
    }
    const auto looked = [&](const State& state, std::uint64_t effective) {
      for (const std::size_t look : looks) {
        if ((effective >> look & 1) != 0) continue;
        operations_[open[look]].step(state, [&](const State&) { effective |= std::uint64_t{1} << look; });
      }
      return effective;
    };
    Configurations seen, done;
    for (const auto& [state, effective] : now) seen.emplace(state, looked(state, effective));
    std::vector<std::pair<State, std::uint64_t>> left(seen.begin(), seen.end());
    while (!left.empty()) {
      const auto [state, effective] = std::move(left.back());
      left.pop_back();
      in.work();
      if (++steps > max_steps_) return false;
      if ((effective >> slot & 1) != 0) {
        done.emplace(state, effective & ~(std::uint64_t{1} << slot));
        continue;
      }
      for (std::size_t other = 0; other < open.size(); ++other) {
        if (open[other] == kFree || (effective >> other & 1) != 0 || operations_[open[other]].only_looks) continue;
        const std::uint64_t so_far = effective | std::uint64_t{1} << other;
        operations_[open[other]].step(state, [&](State after) {
          const std::uint64_t with = looked(after, so_far);
          const auto [place, fresh] = seen.emplace(std::move(after), with);
          if (fresh) left.push_back(*place);
        });
      }
      if (seen.size() > kMaxConfigurations) return false;
    }
    now = std::move(done);
    return true;
  }

  struct One {
    EventIndex begin = kNoEvent, end = kNoEvent;
    Step step;
    bool only_looks = false;
  };
  std::vector<One> operations_;
  std::size_t max_steps_ = static_cast<std::size_t>(-1);
};

}  // namespace ordeal::work
