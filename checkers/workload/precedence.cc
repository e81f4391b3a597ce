#include "checkers/workload/precedence.h"

#include <algorithm>
#include <deque>

namespace ordeal::work {
namespace {

// How many steps on cycles are tried as the start of a shortest one.
constexpr std::size_t kStarts = 50;

}  // namespace

// Moments in the order of completions, each after the one before it: n edges in place of n².
void Precedence::keep_real_time() {
  const auto count = static_cast<Step>(steps_.size());
  std::vector<Step> by_end, by_begin;
  for (Step s = 0; s < count; ++s) {
    by_begin.push_back(s);
    if (in_.ok(steps_[s])) by_end.push_back(s);
  }
  std::stable_sort(by_end.begin(), by_end.end(),
                   [&](Step a, Step b) { return steps_[a].completion < steps_[b].completion; });
  std::stable_sort(by_begin.begin(), by_begin.end(),
                   [&](Step a, Step b) { return steps_[a].invocation < steps_[b].invocation; });
  std::size_t next = 0;
  std::vector<Step> moments;
  for (const Step s : by_begin) {
    for (; next < by_end.size() && steps_[by_end[next]].completion < steps_[s].invocation; ++next) {
      const Step moment = step({kNoEvent, kNoEvent});
      if (!moments.empty()) before(moments.back(), moment);
      before(by_end[next], moment);
      moments.push_back(moment);
    }
    if (!moments.empty()) before(moments.back(), s);
  }
}

std::vector<OperationEvents> Precedence::cycle() const {
  // What can be taken away because nothing, or only what was taken away, comes before it is on no cycle.
  std::vector<std::uint32_t> open(steps_.size());
  for (const auto& next : after_) {
    in_.work(1 + next.size());
    for (const Step s : next) ++open[s];
  }
  std::vector<Step> free;
  for (Step s = 0; s < steps_.size(); ++s) {
    if (open[s] == 0) free.push_back(s);
  }
  std::size_t taken = 0;
  while (!free.empty()) {
    const Step s = free.back();
    free.pop_back();
    ++taken;
    in_.work(1 + after_[s].size());
    for (const Step t : after_[s]) {
      if (--open[t] == 0) free.push_back(t);
    }
  }
  if (taken == steps_.size()) return {};
  std::vector<bool> left(steps_.size());
  for (Step s = 0; s < steps_.size(); ++s) left[s] = open[s] > 0;
  std::vector<Step> best;
  std::size_t starts = 0;
  for (Step s = 0; s < steps_.size() && (starts < kStarts || best.empty()); ++s) {
    if (!left[s] || steps_[s].invocation == kNoEvent) continue;
    const std::vector<Step> found = shortest_from(s, left);
    if (!found.empty()) ++starts;
    if (!found.empty() && (best.empty() || found.size() < best.size())) best = found;
  }
  std::vector<OperationEvents> out;
  for (const Step s : best) {
    if (steps_[s].invocation == kNoEvent || (!out.empty() && out.back().invocation == steps_[s].invocation)) continue;
    out.push_back(steps_[s]);
  }
  if (out.size() > 1 && out.front().invocation == out.back().invocation) out.pop_back();
  return out;
}

std::vector<Precedence::Step> Precedence::shortest_from(Step start, const std::vector<bool>& on_cycles) const {
  constexpr Step kNone = 0xFFFFFFFFu;
  std::vector<Step> from(steps_.size(), kNone);
  std::deque<Step> queue = {start};
  while (!queue.empty()) {
    const Step s = queue.front();
    queue.pop_front();
    in_.work(1 + after_[s].size());
    for (const Step t : after_[s]) {
      if (!on_cycles[t] || from[t] != kNone) continue;
      from[t] = s;
      if (t != start) {
        queue.push_back(t);
        continue;
      }
      std::vector<Step> path;
      for (Step back = s;; back = from[back]) {
        path.push_back(back);
        if (back == start) break;
      }
      std::reverse(path.begin(), path.end());
      return path;
    }
  }
  return {};
}

}  // namespace ordeal::work
