// The checker "causal-reverse": blind writes of elements and reads of all of them are strictly serializable: who sees a
// write sees all that were over before it began, and a read sees all that was acknowledged before it. After Jepsen's
// causal-reverse and the comments workload of its CockroachDB tests, which look for the first alone.
//
// Operations: `write` (or `add`) of an element, blindly; `read`, whose ok value is the list or set of all elements;
// nothing is ever removed; keys, if any, are sets of their own. Each is a transaction of one operation on one object,
// so strict serializability is linearizability of a grow-only set; grow_only_set.h says how it is decided and which
// anomalies are told.
#include "checkers/workload/grow_only_set.h"

namespace ordeal::work {
namespace {

void judge_causal_reverse(Judgement& in) {
  if (!in.understands({"write", "add", "read"})) return;
  GrowOnlySets sets(in, Freshness::in_order);
  for (const OperationEvents op : in.operations()) {
    if (in.f(op) != "read") {
      if (in.asked(op) == kAbsent) return in.refuse(op, "an element");
      sets.add(op, in.asked(op));
    } else if (in.ok(op)) {
      if (!in.takes_elements(op)) return;
      in.counter("observed") += in.items(in.seen(op)).empty() ? 0 : 1;
      sets.read(op);
    }
  }
  sets.judge();
  if (in.counter("observed") == 0)
    in.inconclusive("no read returned an element, so nothing is known about their order");
}

}  // namespace

WorkloadChecker causal_reverse() {
  return {"causal-reverse",
          "blind writes and reads of all of them: who sees a write sees those that were over before it began",
          {"strict-serializable"},
          judge_causal_reverse,
          grow_only_anomalies()};
}

}  // namespace ordeal::work
