// The checker "causal-reverse": who sees a write sees all that were over before it began. After Jepsen's causal-reverse
// and the comments workload of its CockroachDB tests, which ask for the same.
//
// Operations: `write` (or `add`) of an element, blindly; `read`, whose ok value is the list or set of all elements;
// nothing is ever removed; keys, if any, are sets of their own. Strict serializability puts a write that was
// acknowledged before another one was invoked before it, so a read that sees the second sees the first:
//
//   causal-reverse       a read that has an element and lacks one acknowledged before that one's write was invoked
//   unexpected-element   a read of an element that nobody wrote, whose write failed, or had not begun
//
// Cost: O(n log n + all elements of all reads), and O(n) more for each read that lacks something.
#include <algorithm>
#include <map>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

class Elements {
 public:
  Elements(Judgement& in, ValueId key) : in_(in), key_(key) {}

  void write(OperationEvents op) { written_.add(in_, in_.asked(op), op); }
  void read(OperationEvents op) { reads_.push_back(op); }

  void judge() {
    for (const auto& [element, tries] : written_.all()) {
      if (tries.acknowledged != kNoEvent) acknowledged_.push_back(element);
    }
    std::sort(acknowledged_.begin(), acknowledged_.end(),
              [&](ValueId a, ValueId b) { return written_.find(a)->acknowledged < written_.find(b)->acknowledged; });
    for (const OperationEvents op : reads_) look(op);
  }

 private:
  void look(OperationEvents op) {
    const auto list = in_.items(in_.seen(op));
    const std::set<ValueId> seen(list.begin(), list.end());
    const Attempts* newest = nullptr;  // of the elements seen, the one whose write began last
    ValueId newest_id = kNil;
    for (const ValueId element : seen) {
      if (!written_.explained(in_, "unexpected-element", "element", element, op, key_)) continue;
      const Attempts* tries = written_.find(element);
      if (newest != nullptr && tries->invoked < newest->invoked) continue;
      newest = tries;
      newest_id = element;
    }
    if (newest == nullptr) return;
    for (const ValueId element : acknowledged_) {
      in_.work();
      const Attempts& tries = *written_.find(element);
      if (tries.acknowledged > newest->invoked) break;
      if (seen.contains(element)) continue;
      in_.tell("causal-reverse", {tries.acknowledged_by, newest->invoked, op.invocation},
               in_.named(op) + " saw " + in_.shown(newest_id) + " and not " + in_.shown(element) +
                   ", which was written before it",
               {"The write of " + in_.shown(element) + " was acknowledged at " + in_.event(tries.acknowledged) + ".",
                "The write of " + in_.shown(newest_id) + " was invoked later, at " + in_.event(newest->invoked) + ".",
                in_.named(op) + " returned " + in_.shown(newest_id) + " without " + in_.shown(element) + "."},
               key_);
      return;
    }
  }

  Judgement& in_;
  ValueId key_;
  AttemptTable written_;
  std::vector<ValueId> acknowledged_;  // by acknowledgement
  std::vector<OperationEvents> reads_;
};

void judge_causal_reverse(Judgement& in) {
  if (!in.understands({"write", "add", "read"})) return;
  std::map<ValueId, Elements> keys;
  for (const OperationEvents op : in.operations()) {
    Elements& elements = keys.try_emplace(in.key(op), in, in.key(op)).first->second;
    if (in.f(op) != "read") {
      if (in.asked(op) == kAbsent) return in.refuse(op, "an element");
      elements.write(op);
    } else if (in.ok(op)) {
      if (!in.takes_elements(op)) return;
      in.counter("observed") += in.items(in.seen(op)).empty() ? 0 : 1;
      elements.read(op);
    }
  }
  for (auto& [key, elements] : keys) elements.judge();
  in.keys(keys.size());
  if (in.counter("observed") == 0)
    in.inconclusive("no read returned an element, so nothing is known about their order");
}

}  // namespace

WorkloadChecker causal_reverse() {
  return {"causal-reverse",
          "blind writes and reads of all of them: who sees a write sees those that were over before it began",
          {"strict-serializable"},
          judge_causal_reverse,
          {{"causal-reverse", "a read saw a write and missed one that was over before that one began"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}}};
}

}  // namespace ordeal::work
