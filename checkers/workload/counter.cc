// The checker "counter" at the level "bounds": every read lies between what must have been added and what may have
// been. After Jepsen's counter, for increments and decrements.
//
// Operations: `add` of a whole number, `read`, whose ok value is a whole number; keys, if any, are counters of their
// own. A read must see every add that was acknowledged before it was invoked, and can see any other that was invoked
// before it ended and did not fail. So, with c the sum of the former,
//
//   counter-out-of-bounds   a read below c + all negative ones of the latter, or above c + all positive ones
//
// This is necessary for linearizability, not sufficient: the model counter of checkers/linearizability decides that.
// The initial value is CheckOptions::initial or 0. Cost: O(events).
#include <map>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

// Beyond this an amount is not believed; sums of any history then fit 64 bits.
constexpr std::int64_t kLargest = 1'000'000'000;

// What was added, increments and decrements apart.
struct Sums {
  std::int64_t up = 0;
  std::int64_t down = 0;
  void add(std::int64_t n) { (n > 0 ? up : down) += n; }
};

struct Counter {
  Sums possible;  // invoked and not failed
  Sums certain;   // acknowledged
};

class Counters {
 public:
  explicit Counters(Judgement& in) : in_(in), initial_(in.initial_integer(0)) {}

  void run() {
    if (!in_.understands({"add", "read"})) return;
    for (const OperationEvents op : in_.operations()) {
      const auto amount = in_.integer(in_.asked(op));
      if (in_.f(op) == "add" && (!amount || *amount > kLargest || *amount < -kLargest)) {
        return in_.refuse(op, "a whole number, at most 10^9");
      }
      if (in_.f(op) == "read" && in_.ok(op) && !in_.integer(in_.seen(op))) return in_.refuse(op, "a whole number");
    }
    const History& h = in_.history();
    for (EventIndex e = 0; e < h.size(); ++e) {
      if (h.process(e) < 0) continue;
      const bool invocation = h.type(e) == EventType::invoke;
      event(invocation ? OperationEvents{e, h.partner(e)} : OperationEvents{h.partner(e), e}, invocation);
    }
    in_.keys(counters_.size());
    if (in_.counter("reads") == 0)
      in_.inconclusive("no read succeeded, so nothing is known about the counter");
    else if (in_.counter("adds") == 0)
      in_.inconclusive("no add succeeded, so nothing was put to the test");
  }

 private:
  void event(OperationEvents op, bool invocation) {
    Counter& counter = counters_[in_.key(op)];
    if (in_.f(op) == "add") {
      const std::int64_t amount = *in_.integer(in_.asked(op));
      if (invocation && !in_.failed(op)) counter.possible.add(amount);
      if (invocation || !in_.ok(op)) return;
      counter.certain.add(amount);
      ++in_.counter("adds");
    } else if (in_.ok(op)) {
      if (invocation)
        known_[op.invocation] = counter.certain;
      else
        read(op, counter);
    }
  }

  void read(OperationEvents op, const Counter& counter) {
    ++in_.counter("reads");
    const auto known = known_.extract(op.invocation);
    const Sums& certain = known.mapped();
    const std::int64_t lower = initial_ + certain.up + counter.possible.down;
    const std::int64_t upper = initial_ + certain.down + counter.possible.up;
    const std::int64_t value = *in_.integer(in_.seen(op));
    if (lower <= value && value <= upper) return;
    in_.tell(
        "counter-out-of-bounds", {op.invocation},
        in_.named(op) + " returned " + std::to_string(value) + ", which must be from " + std::to_string(lower) +
            " to " + std::to_string(upper),
        {"Adds acknowledged before it was invoked make " + std::to_string(initial_ + certain.up + certain.down) + ".",
         "With those that may have happened until it ended it can see from " + std::to_string(lower) + " to " +
             std::to_string(upper) + ".",
         "It returned " + std::to_string(value) + "."},
        in_.key(op));
  }

  Judgement& in_;
  const std::int64_t initial_;
  std::map<ValueId, Counter> counters_;  // by key
  std::map<EventIndex, Sums> known_;     // by invocation of a read that is open: what it must see
};

}  // namespace

WorkloadChecker counter() {
  return {
      "counter",
      "a counter: every read lies between what must have been added and what may have been",
      {"bounds"},
      [](Judgement& in) { Counters(in).run(); },
      {{"counter-out-of-bounds", "a counter was read below all that was acknowledged, or above all that was tried"}}};
}

}  // namespace ordeal::work
