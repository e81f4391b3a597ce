// The checker "set-full": a grow-only set; nothing acknowledged is lost, nothing appears that nobody added.
//
// Operations: `add` with an element, `read` whose ok value is the list (or EDN set) of all elements; keys, if any, are
// sets of their own. An element is *known* from the first acknowledgement of its add, or from the first read that
// saw it; from then on every read that is invoked later must contain it. After Jepsen's set-full:
//
// "linearizable" (grow_only_set.h says how it is decided) names lost, stale, revived, unexpected and duplicate
// elements, incomparable reads and reversed adds. "eventual": reads may be late and go back, and an element is lost
// when it is absent from the last read, and that began set-full.settle or longer after every add had ended (of which
// unknown outcome: begun), so that what had to arrive has had its time; unexpected and duplicate elements are told all
// the same. Where events have no times, set-full.settle=0 says that whatever began after the adds counts.
//
// "causal-cc": causal_set.h says what; adds commute, so that all causal levels are this one.
//
// The details count further: recovered elements (added by a crashed operation, and there), never read ones, and how
// long it took from when elements were known until all later reads had them (stable-latencies), or until they were gone
// (lost-latencies).
//
// Cost: O(all elements of all reads).
#include <map>
#include <set>

#include "checkers/workload/grow_only_set.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

void judge_set_full(Judgement& in) {
  const std::string level = in.level("linearizable");
  if (!in.understands({"add", "read"})) return;
  GrowOnlySets sets(in, level == "eventual"    ? Freshness::eventual
                        : level == "causal-cc" ? Freshness::causal
                                               : Freshness::linearizable);
  for (const OperationEvents op : in.operations()) {
    if (in.f(op) == "add") {
      if (in.asked(op) == kAbsent) return in.refuse(op, "an element");
      sets.add(op, in.asked(op));
    } else if (in.ok(op)) {
      if (!in.takes_elements(op)) return;
      sets.read(op);
    }
  }
  sets.judge();
}

// Jepsen's older checker: what the last read holds, and nothing in between. Requires that all adds ended before it.
void judge_set(Judgement& in) {
  if (!in.understands({"add", "read"})) return;
  std::map<ValueId, OperationEvents> last;  // by key
  std::map<ValueId, AttemptTable> added;
  for (const OperationEvents op : in.operations()) {
    if (in.f(op) == "add") {
      if (in.asked(op) == kAbsent) return in.refuse(op, "an element");
      added[in.key(op)].add(in, in.asked(op), op);
    } else if (in.ok(op)) {
      if (!in.takes_elements(op)) return;
      last[in.key(op)] = op;
    }
  }
  in.keys(added.size());
  for (auto& [key, elements] : added) {
    const auto found = last.find(key);
    if (found == last.end()) {
      in.inconclusive(key == kAbsent ? "no read succeeded, so nothing is known about the set"
                                     : "no read of key " + in.shown(key) + " succeeded");
      continue;
    }
    const OperationEvents read = found->second;
    const std::set<ValueId> seen(in.items(in.seen(read)).begin(), in.items(in.seen(read)).end());
    for (const ValueId element : seen) elements.explained(in, "unexpected-element", "element", element, read, key);
    for (const auto& [element, tries] : elements.all()) {
      in.counter("recovered") += tries.certain == 0 && seen.contains(element) ? 1 : 0;
      if (tries.acknowledged > read.invocation || seen.contains(element)) continue;
      ++in.counter("lost");
      in.tell("lost-element", {tries.acknowledged_by, read.invocation},
              "element " + in.shown(element) + " was acknowledged (" + in.event(tries.acknowledged) +
                  ") and is not in the last " + "read (" + in.event(read.invocation) + ")",
              {}, key);
    }
  }
  if (added.empty()) in.inconclusive("nothing was added");
}

const std::pair<std::string, std::string> kLost = {"lost-element",
                                                   "an acknowledged element is missing from every later read"};
const std::pair<std::string, std::string> kUnexpected = {
    "unexpected-element", "something was read that nobody wrote, or whose write certainly failed"};

}  // namespace

WorkloadChecker set_full() {
  return {
      "set-full",
      "a grow-only set: lost, stale, revived, duplicate and unexpected elements, and how long they took to be visible",
      {"linearizable", "causal-cc", "eventual"},
      judge_set_full,
      grow_only_anomalies(),
      {{"set-full.settle", OptionSpec::Type::duration, 2.0,
        "at the level eventual: how long elements have to spread before the last reads", 0, 3600}}};
}

WorkloadChecker set() {
  return {"set",
          "a grow-only set: the last read holds every acknowledged element and none that was not added",
          {"final"},
          judge_set,
          {kLost, kUnexpected}};
}

}  // namespace ordeal::work
