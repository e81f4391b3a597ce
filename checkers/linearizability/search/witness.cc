#include "checkers/linearizability/search/witness.h"

#include <algorithm>
#include <map>

namespace ordeal::lin {
namespace {

// Where among the events each call is open.
struct Window {
  std::uint32_t from = 0, to = 0xFFFFFFFFu;
};

}  // namespace

std::vector<CallIndex> full_order(Space& space, const std::vector<Step>& steps) {
  const Prepared& p = space.prepared;
  std::vector<Window> window(p.calls.size());
  std::map<std::uint32_t, std::vector<CallIndex>> crashed;  // by counter, in the order of their invocations
  for (std::uint32_t e = 0; e < p.events.size(); ++e) {
    Window& w = window[p.events[e].call];
    (p.events[e].is_return ? w.to : w.from) = e;
    if (!p.events[e].is_return && p.calls[p.events[e].call].crashed()) {
      crashed[p.counter_of[p.events[e].call]].push_back(p.events[e].call);
    }
  }

  // The steps as calls: of a crashed class, those that were invoked first.
  std::vector<CallIndex> effect;
  std::vector<bool> placed(p.calls.size());
  std::map<std::uint32_t, std::size_t> taken;
  for (const Step& step : steps) {
    CallIndex call = step.op;
    if ((step.op & Space::kCrashed) != 0) {
      const std::uint32_t counter = step.op & ~Space::kCrashed;
      call = crashed[counter][taken[counter]++];
    }
    effect.push_back(call);
    placed[call] = true;
  }

  // The states along the way. Models with several successors need those that the search took: any run will do.
  std::vector<std::vector<StateId>> reach{{Space::state(space.initial().data())}};
  for (const CallIndex call : effect) {
    std::vector<StateId> next;
    for (const StateId s : reach.back()) {
      for (const StateId t : space.transitions.next(s, p.class_of[call])) next.push_back(t);
    }
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    reach.push_back(std::move(next));
  }
  std::vector<StateId> states(reach.size());
  if (!reach.back().empty()) states.back() = reach.back().front();
  for (std::size_t i = effect.size(); i-- > 0;) {
    for (const StateId s : reach[i]) {
      const auto next = space.transitions.next(s, p.class_of[effect[i]]);
      if (std::find(next.begin(), next.end(), states[i + 1]) != next.end()) {
        states[i] = s;
        break;
      }
    }
  }

  // Gap g is before effect[g]; it lasts from the event of step g-1 to that of step g.
  const std::size_t gaps = effect.size() + 1;
  std::vector<std::vector<CallIndex>> same(gaps), before(gaps);
  std::size_t first_gap = 0;
  for (const KeyEvent event : p.events) {
    const CallIndex call = event.call;
    if (event.is_return || placed[call] || p.calls[call].crashed()) continue;
    const ClassId op = p.class_of[call];
    while (first_gap < effect.size() && steps[first_gap].at < window[call].from) ++first_gap;
    for (std::size_t g = first_gap; g < gaps; ++g) {
      if (g > 0 && steps[g - 1].at > window[call].to) break;
      if (space.transitions.preserves(states[g], op)) {
        same[g].push_back(call);
        placed[call] = true;
        break;
      }
      const bool in_time = g < effect.size() && steps[g].at <= window[call].to;
      if (in_time && (p.traits[op] & kTotal) != 0 && (p.traits[p.class_of[effect[g]]] & kOverwrites) != 0) {
        before[g].push_back(call);
        placed[call] = true;
        break;
      }
    }
  }
  std::vector<CallIndex> out;
  for (std::size_t g = 0; g < gaps; ++g) {
    for (const auto* list : {&same[g], &before[g]}) {
      for (const CallIndex call : *list) out.push_back(p.origin[call]);
    }
    if (g < effect.size()) out.push_back(p.origin[effect[g]]);
  }
  return out;
}

}  // namespace ordeal::lin
