// The checker "idempotency": an operation that carries a key takes effect once, however often it is sent.
//
// Operations: `apply` of an idempotency key (or a map with it under "id"), sent again and again; its ok value, if it is
// not what was asked, is the result; `read`, whose ok value is the list of the keys of all operations that took effect,
// in any order. Keys of operations, if any, are ledgers of their own.
//
//   applied-twice        an idempotency key twice in one read
//   different-answers    two ok answers to one idempotency key have different results
//   lost-element         acknowledged, or seen by a read, before a read was invoked, and not in it
//   unexpected-element   applied, although nobody sent it, or only attempts that certainly failed
#include <map>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

class Ledger {
 public:
  Ledger(Judgement& in, ValueId key) : in_(in), key_(key) {}

  void apply(OperationEvents op) {
    const ValueId id = id_of(op);
    sent_.add(in_, id, op);
    in_.counter("repeated") += sent_.find(id)->possible > 1 ? 1 : 0;
    if (!in_.ok(op) || in_.seen(op) == kAbsent || in_.seen(op) == in_.asked(op)) return;
    const auto [place, fresh] = answers_.try_emplace(id, op);
    if (fresh || in_.seen(place->second) == in_.seen(op)) return;
    in_.tell("different-answers", {place->second.invocation, op.invocation},
             "the operation with key " + in_.shown(id) + " was answered " + in_.shown(in_.seen(place->second)) +
                 " and " + in_.shown(in_.seen(op)),
             {}, key_);
  }

  void read(OperationEvents op) { reads_.push_back(op); }

  void judge() {
    for (const OperationEvents op : reads_) {
      for (const ValueId id : in_.items(in_.seen(op))) {
        const auto [place, fresh] = shown_.try_emplace(id, op);
        if (!fresh && op.completion < place->second.completion) place->second = op;
      }
    }
    for (const OperationEvents op : reads_) {
      std::set<ValueId> seen;
      for (const ValueId id : in_.items(in_.seen(op))) {
        sent_.explained(in_, "unexpected-element", "key", id, op, key_);
        if (seen.insert(id).second) continue;
        const Attempts* tries = sent_.find(id);
        in_.tell("applied-twice", {tries == nullptr ? kNoEvent : tries->invoked, op.invocation},
                 in_.named(op) + " shows that the operation with key " + in_.shown(id) + " was applied more than once",
                 {}, key_);
      }
      for (const auto& [id, first] : shown_) {
        if (first.completion > op.invocation || seen.contains(id)) continue;
        const Attempts* tries = sent_.find(id);
        if (tries != nullptr && tries->acknowledged < op.invocation) continue;  // told below
        in_.tell("lost-element", {first.invocation, op.invocation},
                 in_.named(op) + " does not show the operation with key " + in_.shown(id) + ", although " +
                     in_.named(first) + ", which was over before, did",
                 {}, key_);
      }
      for (const auto& [id, tries] : sent_.all()) {
        if (tries.acknowledged > op.invocation || seen.contains(id)) continue;
        in_.tell("lost-element", {tries.acknowledged_by, op.invocation},
                 "the operation with key " + in_.shown(id) + " was acknowledged (" + in_.event(tries.acknowledged) +
                     ") before " + in_.named(op) + " began, which does not show it",
                 {}, key_);
      }
    }
  }

 private:
  ValueId id_of(OperationEvents op) const {
    const ValueId asked = in_.asked(op);
    const ValueId id = in_.is_map(asked) ? in_.values().member(asked, "id") : kAbsent;
    return id == kAbsent ? asked : id;
  }

  Judgement& in_;
  ValueId key_;
  AttemptTable sent_;
  std::map<ValueId, OperationEvents> answers_;  // the first of each idempotency key
  std::map<ValueId, OperationEvents> shown_;    // the read of each idempotency key that ended first
  std::vector<OperationEvents> reads_;
};

void judge_idempotency(Judgement& in) {
  if (!in.understands({"apply", "read"})) return;
  std::map<ValueId, Ledger> ledgers;
  for (const OperationEvents op : in.operations()) {
    Ledger& ledger = ledgers.try_emplace(in.key(op), in, in.key(op)).first->second;
    if (in.f(op) == "apply") {
      if (in.asked(op) == kAbsent || in.asked(op) == kNil) return in.refuse(op, "an idempotency key");
      ledger.apply(op);
    } else if (in.ok(op)) {
      if (!in.takes_elements(op)) return;
      ++in.counter("reads");
      in.counter("observed") += in.items(in.seen(op)).empty() ? 0 : 1;
      ledger.read(op);
    }
  }
  for (auto& [key, ledger] : ledgers) ledger.judge();
  in.keys(ledgers.size());
  if (in.counter("reads") == 0)
    in.inconclusive("no read succeeded, so nothing is known of what was applied");
  else if (in.counter("repeated") == 0)
    in.inconclusive("no operation was sent twice, so nothing was put to the test");
  else if (in.counter("observed") == 0)
    in.inconclusive("no read showed an operation, so nothing is known of what was applied");
}

}  // namespace

WorkloadChecker idempotency() {
  return {"idempotency",
          "operations with a key that are sent again: each takes effect once",
          {"exactly-once"},
          judge_idempotency,
          {{"applied-twice", "an operation with an idempotency key took effect twice"},
           {"different-answers", "two answers to one idempotency key differ"},
           {"lost-element", "an acknowledged element is missing from every later read"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}}};
}

}  // namespace ordeal::work
