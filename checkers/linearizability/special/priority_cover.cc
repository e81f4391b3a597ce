// priority-cover: priority queues (the least element goes first) into which no element is put twice.
//
// A take of v is possible at a moment when no smaller element is certainly inside. So, with intervals narrowed as for
// queues, the history is linearizable exactly when for every take of v the narrowed interval of the take is not
// covered by the union of the times at which elements smaller than v are certainly inside, and the same for takes that
// found nothing and all elements. (A take that has to wait for its moment waits under smaller elements only, so it is
// in nobody's way, and it does not matter whether elements are equal.) (after Bouajjani, Enea and Wang, "Checking
// linearizability of concurrent priority queues", 2017, and PolyLin). Elements are looked at from the least to the
// greatest, each added to the union once.
//
// Crashed takes are left to the searches. Cost: O(n log n). Gives no order.
// Tested by tests/checkers/linearizability/special_cases_test.cc.

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/container_calls.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

class PriorityCover final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "priority-cover"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (type_of(*history.model) != DataType::priority_queue) return "it decides priority queues only";
    for (const Call& call : history.calls) {
      if (call.op.code == queue::kTake && call.crashed()) return "there are crashed dequeues";
    }
    return container_objection(history);
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget& budget, bool) const override {
    ContainerCalls container = container_calls(history);
    if (!container.contradiction.empty()) return refuted(std::move(container.contradiction));
    return decide_priority_queue(history, container, budget);
  }
};

}  // namespace

Decision decide_priority_queue(const KeyHistory& history, const ContainerCalls& container, Budget&) {
  const std::vector<Call>& calls = history.calls;
  std::vector<ContainedElement> elements = container.elements;
  const ValueTable& values = history.history->values();
  const auto number = [&](const ContainedElement& e) {
    return values.as_integer(static_cast<ValueId>(calls[e.put].op.a));
  };
  std::sort(elements.begin(), elements.end(),
            [&](const ContainedElement& x, const ContainedElement& y) { return number(x) < number(y); });
  Cover inside;
  // What covers an interval of time among the first `count` elements.
  const auto culprits = [&](std::size_t count, EventIndex begin, EventIndex end, std::vector<CallIndex> found) {
    for (std::size_t i = 0; i < count; ++i) {
      if (elements[i].put_ret > end || elements[i].take_inv < begin) continue;
      found.push_back(elements[i].put);
      if (elements[i].take != kNoCall) found.push_back(elements[i].take);
    }
    return refuted(std::move(found));
  };
  for (std::size_t first = 0, end = 0; first < elements.size(); first = end) {
    // Of equal elements any may be taken.
    for (end = first; end < elements.size() && number(elements[end]) == number(elements[first]); ++end) {
      const ContainedElement& v = elements[end];
      if (v.take != kNoCall && inside.covers(v.take_inv, v.take_ret)) {
        return culprits(first, v.take_inv, v.take_ret, {v.put, v.take});
      }
    }
    for (std::size_t i = first; i < end; ++i) inside.add(elements[i].put_ret, elements[i].take_inv);
  }
  for (const CallIndex empty : container.empties) {
    if (inside.covers(calls[empty].inv, calls[empty].ret)) {
      return culprits(elements.size(), calls[empty].inv, calls[empty].ret, {empty});
    }
  }
  return explained({}, false);
}

std::unique_ptr<Strategy> priority_cover_strategy() { return std::make_unique<PriorityCover>(); }

}  // namespace ordeal::lin
