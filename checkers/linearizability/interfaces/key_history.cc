#include "checkers/linearizability/interfaces/key_history.h"

#include <algorithm>
#include <optional>

namespace ordeal::lin {

std::vector<KeyEvent> events_of(const std::vector<Call>& calls) {
  struct Return {
    EventIndex at;
    CallIndex call;
  };
  std::vector<Return> returns;
  returns.reserve(calls.size());
  bool sorted = true;
  for (CallIndex i = 0; i < calls.size(); ++i) {
    if (calls[i].crashed()) continue;
    if (!returns.empty() && calls[i].ret < returns.back().at) sorted = false;
    returns.push_back({calls[i].ret, i});
  }
  if (!sorted) {
    // Two calls may share a return once intervals are tightened (tighten.h); the earlier call goes first.
    std::sort(returns.begin(), returns.end(),
              [](const Return& x, const Return& y) { return x.at != y.at ? x.at < y.at : x.call < y.call; });
  }
  std::vector<KeyEvent> events;
  events.reserve(calls.size() + returns.size());
  std::size_t r = 0;
  for (CallIndex i = 0; i < calls.size(); ++i) {
    while (r < returns.size() && returns[r].at < calls[i].inv) events.push_back({returns[r++].call, true});
    events.push_back({i, false});
  }
  while (r < returns.size()) events.push_back({returns[r++].call, true});
  return events;
}

std::string nothing_observed(const Partition& parts) {
  if (parts.ok == 0) return "no operation succeeded, so nothing was observed";
  if (parts.observed || !parts.not_understood.empty()) return "";
  return "nothing of value was observed: every operation that succeeded would have succeeded in any state (no read "
         "returned anything)";
}

Partition partition(const History& history, const Model& model, Crashed crashed) {
  Partition out;
  const bool per_key = model.per_key();
  constexpr std::uint32_t kNone = 0xFFFFFFFFu;
  std::vector<std::uint32_t> place(history.values().size(), kNone);

  // First pass: which keys there are, and how many calls each has, so that the second pass never reallocates.
  std::vector<std::size_t> count;
  const auto place_of = [&](EventIndex e) {
    ValueId key = per_key ? history.key(e) : kNil;
    if (key == kAbsent) key = kNil;
    if (place[key] == kNone) {
      place[key] = static_cast<std::uint32_t>(out.keys.size());
      out.keys.push_back({&history, &model, key, {}});
      count.push_back(0);
    }
    return place[key];
  };
  const auto size = static_cast<EventIndex>(history.size());
  for (EventIndex e = 0; e < size; ++e) {
    if (history.type(e) != EventType::invoke || history.process(e) < 0) continue;
    ++out.operations;
    const EventIndex partner = history.partner(e);
    if (partner != kNoEvent && history.type(partner) == EventType::fail) continue;
    ++count[place_of(e)];
  }
  for (std::size_t k = 0; k < out.keys.size(); ++k) out.keys[k].calls.reserve(count[k]);

  for (EventIndex e = 0; e < size; ++e) {
    if (history.type(e) != EventType::invoke || history.process(e) < 0) continue;
    const OperationEvents events{e, history.partner(e)};
    const EventType outcome = history.outcome(events);
    if (outcome == EventType::fail) continue;
    if (outcome == EventType::ok) ++out.ok;
    const std::uint32_t k = place_of(e);
    auto parsed = model.parse(events);
    if (!parsed) {
      out.not_understood.emplace_back(k, NotUnderstood{e, parsed.error().message});
      continue;
    }
    if (!parsed->has_value()) continue;
    Call call{**parsed, e, outcome == EventType::ok ? events.completion : kNever};
    const unsigned traits = model.traits(call.op);
    if (outcome == EventType::ok && (traits & kTotal) == 0) out.observed = true;
    // A crashed read may or may not have happened, and changed nothing either way.
    if (crashed == Crashed::with_effect && call.crashed() && (traits & kPure) != 0) continue;
    out.keys[k].calls.push_back(call);
  }
  return out;
}

}  // namespace ordeal::lin
