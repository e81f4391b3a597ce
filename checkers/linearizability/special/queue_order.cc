// queue-order: FIFO queues into which no element is put twice.
//
// With intervals narrowed to what is possible (an element that was taken had been put in), the history is
// linearizable exactly when (Abdulla, Haziza, Holík, Jonsson, Rezine, 2013; Henzinger, Sezgin, Vafeiadis, 2013)
//   1. nothing is taken twice, without being put in, or before it;
//   2. there is no pair with a put in before b in real time, but b taken before a, or a never taken although b is;
//   3. no take that found the queue empty lies wholly within times at which some element is certainly inside.
// For 2, D(a) is the earliest return of a take of an element put in after a; a must be taken before that. An element
// that nobody is known to have taken needs a crashed take of its own, invoked before D(a): the earliest deadlines get
// the earliest crashed takes. In 3 it is the union of the elements' times that counts, no single element need cover
// the take:
//   put 1 |--|                take 1 |--|
//   put 2           |--|                     take 2 |--|
//   take -> empty        |---------------------|          invalid
//
// Crashed takes together with empty ones are left to the searches. Cost: O(n log n). Gives no order.
// Tested by tests/checkers/linearizability/special_cases_test.cc.

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/container_calls.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

class QueueOrder final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "queue-order"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (type_of(*history.model) != DataType::fifo_queue) return "it decides FIFO queues only";
    if (std::string why = container_objection(history); !why.empty()) return why;
    bool crashed = false;
    bool empty = false;
    for (const Call& call : history.calls) {
      if (call.op.code != queue::kTake) continue;
      (call.crashed() ? crashed : empty) |= call.crashed() || call.op.a == kNil;
    }
    return crashed && empty ? "there are crashed dequeues and dequeues that found it empty" : "";
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget& budget, bool) const override {
    ContainerCalls container = container_calls(history);
    if (!container.contradiction.empty()) return refuted(std::move(container.contradiction));
    return decide_queue(history, container, budget);
  }
};

}  // namespace

Decision decide_queue(const KeyHistory& history, const ContainerCalls& container, Budget&) {
  const std::vector<Call>& calls = history.calls;
  const std::vector<ContainedElement>& elements = container.elements;  // by put_inv already: calls are sorted by inv

  // earliest[i]: the element whose take returns first among elements i, i + 1, …
  std::vector<std::size_t> earliest(elements.size());
  for (std::size_t i = elements.size(); i-- > 0;) {
    const bool own = i + 1 == elements.size() || elements[i].take_ret < elements[earliest[i + 1]].take_ret;
    earliest[i] = own ? i : earliest[i + 1];
  }
  struct Deadline {
    EventIndex at;
    CallIndex put;
  };
  std::vector<Deadline> deadlines;
  for (const ContainedElement& a : elements) {
    const auto later = std::partition_point(elements.begin(), elements.end(),
                                            [&](const ContainedElement& b) { return b.put_inv < a.put_ret; });
    if (later == elements.end()) continue;
    const ContainedElement& b = elements[earliest[static_cast<std::size_t>(later - elements.begin())]];
    if (a.take != kNoCall && b.take_ret < a.take_inv) return refuted({a.put, a.take, b.put, b.take});
    if (a.take == kNoCall && b.take_ret != kNever) {
      if (container.crashed_takes.empty()) return refuted({a.put, b.put, b.take});
      deadlines.push_back({b.take_ret, a.put});
    }
  }
  std::sort(deadlines.begin(), deadlines.end(), [](const Deadline& x, const Deadline& y) { return x.at < y.at; });
  for (std::size_t i = 0; i < deadlines.size(); ++i) {
    const auto& takes = container.crashed_takes;  // by invocation
    if (i >= takes.size() || calls[takes[i]].inv > deadlines[i].at) return refuted({});
  }

  if (std::vector<CallIndex> wrong = covered_empty(calls, container); !wrong.empty()) return refuted(std::move(wrong));
  return explained({}, false);
}

std::unique_ptr<Strategy> queue_order_strategy() { return std::make_unique<QueueOrder>(); }

}  // namespace ordeal::lin
