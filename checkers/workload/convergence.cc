// The checker "convergence": replicas that have received the same updates agree (strong eventual consistency of CRDTs;
// Shapiro, Preguiça, Baquero and Zawirski, 2011), and on the right state.
//
// Operations: `add` and `read`; when reads return lists, a grow-only set; when they return whole numbers, a counter,
// adds being amounts. Keys, if any, are replicated objects of their own. The *final read* of a process is its last ok
// read, if it was invoked after every update of the key had ended (one of unknown outcome: was invoked), at least
// convergence.settle later: the time in which replicas converge is part of the claim. (A process may
// have read a moment after the last update, and never again.)
//
//   divergence           two final reads differ
//   lost-element         a final read of a set lacks an acknowledged element
//   unexpected-element   any read of a set has an element that nobody added, or whose add failed
//   duplicate-element    any read of a set has an element twice
//   wrong-sum            a final read of a counter is not the sum of the acknowledged adds and of some unknown ones
//   impossible-sum       any read of a counter is not the sum of some of the adds invoked before it ended
//
// Reads before the last update may be late, and go back when a client meets another replica: strong eventual
// consistency demands no more of them than that what they show was asked for. An update of unknown outcome may not have
// reached any replica, or still be on its way when the final reads begin: it excuses a difference that it can explain.
// After it was seen in a final read it excuses nothing in those that began after that one had ended.
#include <algorithm>
#include <map>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

class Replicated {
 public:
  Replicated(Judgement& in, ValueId key) : in_(in), key_(key), zero_(in.values().find(Value(0))) {}

  void add(OperationEvents op) {
    added_.add(in_, in_.asked(op), op);
    if (in_.failed(op)) return;
    last_update_ = std::max(last_update_, in_.ok(op) ? op.completion : op.invocation);
    const std::int64_t amount = in_.integer(in_.asked(op)).value_or(0);
    amounts_.emplace_back(op, amount);
    if (in_.ok(op))
      certain_ += amount;
    else
      (amount > 0 ? up_ : down_) += amount;
    crashed_ = crashed_ || !in_.ok(op);
  }
  void read(OperationEvents op) { reads_.push_back(op); }

  void judge() {
    std::map<ProcessId, OperationEvents> last;
    for (const OperationEvents op : reads_) {
      if (in_.settled(last_update_, op, "convergence.settle")) last[in_.history().process(op.invocation)] = op;
    }
    for (const OperationEvents op : reads_) {
      const auto found = last.find(in_.history().process(op.invocation));
      const bool is_final = found != last.end() && found->second.invocation == op.invocation;
      if (in_.is_list(in_.seen(op))) {
        look(op);
        continue;
      }
      shown_ = shown_ || in_.seen(op) != zero_;
      if (!is_final) possible(op);
    }
    std::vector<OperationEvents> finals;
    for (const auto& [process, op] : last) finals.push_back(op);
    in_.counter("final-reads") += static_cast<std::int64_t>(finals.size());
    compared_ = finals.size() > 1;
    for (const OperationEvents op : finals) {
      in_.is_list(in_.seen(op)) ? complete(op) : bounded(op);
      if (op.invocation != finals.front().invocation) compare(finals.front(), op);
    }
  }
  [[nodiscard]] bool compared() const { return compared_; }
  // Whether any read showed an update.
  [[nodiscard]] bool shown() const { return shown_; }

 private:
  static constexpr std::size_t kCounted = 12;

  std::set<ValueId> elements(OperationEvents op) const {
    const auto list = in_.items(in_.seen(op));
    return {list.begin(), list.end()};
  }

  // What any read of a set must keep to.
  void look(OperationEvents op) {
    std::set<ValueId> seen, twice;
    for (const ValueId element : in_.items(in_.seen(op))) {
      added_.explained(in_, "unexpected-element", "element", element, op, key_);
      if (const Attempts* tries = added_.find(element); tries != nullptr && tries->invoked < op.completion)
        shown_ = true;
      if (seen.insert(element).second || !twice.insert(element).second) continue;
      in_.tell("duplicate-element", {op.invocation},
               in_.named(op) + " returned element " + in_.shown(element) + " more than once", {}, key_);
    }
  }

  // What any read of a counter must keep to: to be the sum of some of the adds that were invoked before it ended. All
  // sums from the least to the greatest are taken for possible when there are too many to count.
  void possible(OperationEvents op) {
    const std::int64_t sum = *in_.integer(in_.seen(op));
    std::int64_t least = 0, greatest = 0;
    std::vector<std::int64_t> amounts;
    for (const auto& [add, amount] : amounts_) {
      if (add.invocation > op.completion) continue;
      in_.work();
      (amount > 0 ? greatest : least) += amount;
      if (amounts.size() <= kCounted) amounts.push_back(amount);
    }
    if (least <= sum && sum <= greatest && made_up(sum, amounts)) return;
    in_.tell("impossible-sum", {op.invocation},
             in_.named(op) + " returned " + std::to_string(sum) +
                 ", which no part of the adds until its end makes up; " + "they reach from " + std::to_string(least) +
                 " to " + std::to_string(greatest),
             {}, key_);
  }

  // Whether some of the amounts add up to `sum`; yes when there are too many to count.
  bool made_up(std::int64_t sum, const std::vector<std::int64_t>& amounts) {
    if (amounts.size() > kCounted) return true;
    std::set<std::int64_t> sums = {0};
    for (const std::int64_t amount : amounts) {
      const std::vector<std::int64_t> before(sums.begin(), sums.end());
      for (const std::int64_t one : before) sums.insert(one + amount);
      in_.work(before.size());
    }
    return sums.contains(sum);
  }

  void complete(OperationEvents op) {
    const std::set<ValueId> seen = elements(op);
    in_.work(added_.all().size());
    for (const auto& [element, tries] : added_.all()) {
      if (tries.certain == 0 || seen.contains(element)) continue;
      in_.tell("lost-element", {tries.acknowledged_by, op.invocation},
               "element " + in_.shown(element) + " was acknowledged (" + in_.event(tries.acknowledged) +
                   ") and is not in the final " + in_.named(op).substr(4),
               {}, key_);
    }
  }

  void bounded(OperationEvents op) {
    const std::int64_t sum = *in_.integer(in_.seen(op));
    std::vector<std::int64_t> unknown;
    for (const auto& [add, amount] : amounts_) {
      if (!in_.ok(add) && unknown.size() <= kCounted) unknown.push_back(amount);
    }
    if (certain_ + down_ <= sum && sum <= certain_ + up_ && made_up(sum - certain_, unknown)) return;
    in_.tell("wrong-sum", {op.invocation},
             "the final " + in_.named(op).substr(4) + " returned " + std::to_string(sum) + "; acknowledged adds make " +
                 std::to_string(certain_) + ", and those of unknown outcome from " + std::to_string(down_) + " to " +
                 std::to_string(up_) + " more",
             {}, key_);
  }

  void compare(OperationEvents a, OperationEvents b) {
    if (!in_.is_list(in_.seen(a)) || !in_.is_list(in_.seen(b))) {
      if (in_.seen(a) != in_.seen(b) && !crashed_)
        differ(a, b, in_.shown(in_.seen(a)) + " and " + in_.shown(in_.seen(b)));
      return;
    }
    const std::set<ValueId> left = elements(a), right = elements(b);
    std::vector<ValueId> only;
    std::set_symmetric_difference(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(only));
    for (const ValueId element : only) {
      const Attempts* tries = added_.find(element);
      const bool in_first = left.contains(element);
      // One of unknown outcome may have arrived between the two.
      const bool arrived = in_first ? !in_.before(a, b) : !in_.before(b, a);
      if (tries == nullptr || (tries->certain == 0 && arrived)) continue;
      return differ(a, b, "one of them with, one without " + in_.shown(element));
    }
  }

  void differ(OperationEvents a, OperationEvents b, const std::string& how) {
    in_.tell("divergence", {a.invocation, b.invocation},
             "the final reads of " + in_.event(a.invocation) + " and " + in_.event(b.invocation) + " differ: " + how,
             {}, key_);
  }

  Judgement& in_;
  ValueId key_;
  AttemptTable added_;
  std::vector<OperationEvents> reads_;
  EventIndex last_update_ = 0;
  std::int64_t certain_ = 0, up_ = 0, down_ = 0;  // amounts acknowledged; those of unknown outcome by sign
  std::vector<std::pair<OperationEvents, std::int64_t>> amounts_;  // of a counter; those that may have happened
  const ValueId zero_;
  bool crashed_ = false;
  bool shown_ = false;
  bool compared_ = false;
};

void judge_convergence(Judgement& in) {
  if (!in.understands({"add", "read"})) return;
  std::map<ValueId, Replicated> objects;
  std::optional<bool> numbers;
  for (const OperationEvents op : in.operations()) {
    Replicated& object = objects.try_emplace(in.key(op), in, in.key(op)).first->second;
    if (in.f(op) == "add") {
      if (in.asked(op) == kAbsent) return in.refuse(op, "an element or amount");
      object.add(op);
    } else if (in.ok(op)) {
      const bool number = in.integer(in.seen(op)).has_value();
      if (!number && !in.takes_elements(op)) return;
      if (numbers.value_or(number) != number) return in.refuse(op, "lists everywhere, or whole numbers everywhere,");
      numbers = number;
      object.read(op);
    }
  }
  for (const OperationEvents op : in.operations()) {
    if (numbers.value_or(false) && in.f(op) == "add" && !in.integer(in.asked(op)))
      return in.refuse(op, "a whole number");
  }
  bool compared = false, shown = false;
  for (auto& [key, object] : objects) {
    object.judge();
    compared = compared || object.compared();
    shown = shown || object.shown();
  }
  in.keys(objects.size());
  if (!compared)
    in.inconclusive("fewer than two processes read after the last update, so nothing was compared" +
                    in.without_times());
  if (!shown) in.inconclusive("no read showed an update, so there was nothing to agree on");
}

}  // namespace

WorkloadChecker convergence() {
  return {"convergence",
          "replicated sets and counters: after the last update all replicas agree, on all that was acknowledged",
          {"strong-eventual"},
          judge_convergence,
          {{"divergence", "after all writes of a key had ended, processes went on to read different values"},
           {"wrong-sum", "a counter's final value is not the sum of what was added"},
           {"impossible-sum", "a counter was read that no part of what had been added makes up"},
           {"duplicate-element", "a read holds an element more often than it was added"},
           {"lost-element", "an acknowledged element is missing from every later read"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}},
          {{"convergence.settle", OptionSpec::Type::duration, 2.0,
            "how long replicas have to converge before a read is a final one", 0, 3600}}};
}

}  // namespace ordeal::work
