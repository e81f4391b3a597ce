#pragma once
// Whether some order of calls, each taking effect at one instant, explains what was seen: all of them are tried. The
// states of the object are any ordered type, what a call makes of one is a function. For a dozen calls or two.
// Thread-safety: pure.

#include <set>
#include <utility>
#include <vector>

#include "support/promise_oracle.h"

namespace ordeal::testing_support {

// What an order of the calls must keep beside their steps: real time, the order of each process, or nothing.
enum class Within { real_time, process, nothing };

// `step(state, call, next)` calls next(state) for each state in which the call may leave the object, given what the
// client saw; not at all: it is not possible in that state.
template <class State, class Step>
class SomeOrder {
 public:
  // Borrows both. Requires: none of the calls failed.
  SomeOrder(const std::vector<Call>& calls, const Step& step, Within within)
      : calls_(calls), step_(step), within_(within) {}

  // Whether all that are ok, and as many as is liked of the others, can follow those done.
  bool from(const std::vector<bool>& done, const State& state) {
    bool all = true;
    for (std::size_t i = 0; i < calls_.size(); ++i) all = all && (done[i] || !calls_[i].ok());
    if (all) return true;
    if (!seen_.emplace(done, state).second) return false;
    bool found = false;
    for (std::size_t i = 0; i < calls_.size() && !found; ++i) {
      if (done[i] || !may_come(done, i)) continue;
      auto more = done;
      more[i] = true;
      step_(state, calls_[i], [&](const State& next) { found = found || from(more, next); });
    }
    return found;
  }

 private:
  bool may_come(const std::vector<bool>& done, std::size_t i) const {
    const Call& call = calls_[i];
    if (call.after && !done[*call.after]) return false;
    for (std::size_t j = 0; j < calls_.size(); ++j) {
      if (j == i || done[j]) continue;
      const Call& other = calls_[j];
      if (within_ == Within::real_time && other.ok() && other.until < call.from) return false;
      // What a crashed operation of the process did before counts as done or as never done: it may be left out.
      if (within_ == Within::process && other.ok() && other.process == call.process && other.from < call.from)
        return false;
    }
    return true;
  }

  const std::vector<Call>& calls_;
  const Step& step_;
  const Within within_;
  std::set<std::pair<std::vector<bool>, State>> seen_;
};

// Of all calls but those that failed: these did not happen.
template <class State, class Step>
[[nodiscard]] bool some_order(const std::vector<Call>& calls, const State& initial, const Step& step,
                              Within within = Within::real_time) {
  std::vector<Call> kept;
  std::vector<std::size_t> place(calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    place[i] = kept.size();
    if (calls[i].outcome == EventType::fail) continue;
    kept.push_back(calls[i]);
    if (kept.back().after) kept.back().after = place[*kept.back().after];
  }
  return SomeOrder<State, Step>(kept, step, within).from(std::vector<bool>(kept.size(), false), initial);
}

}  // namespace ordeal::testing_support
