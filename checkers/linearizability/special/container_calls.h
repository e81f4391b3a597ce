#pragma once
// What the special cases of queues, stacks and priority queues share: the calls of each element, with intervals that
// were narrowed to what is possible. Thread-safety: a value.

#include <map>
#include <string>
#include <vector>

#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/special/special_case_base.h"

namespace ordeal::lin {

// An element that was put in, with the narrowed intervals of the two calls. put_inv and take_ret are the calls' own.
// The element is certainly inside from put_ret to take_inv, when put_ret < take_inv.
struct ContainedElement {
  CallIndex put = 0;
  CallIndex take = 0;  // kNoCall: nobody is known to have taken it
  EventIndex put_inv = 0;
  EventIndex put_ret = kNever;
  EventIndex take_inv = kNever;
  EventIndex take_ret = kNever;
};

struct ContainerCalls {
  std::vector<ContainedElement> elements;  // without those whose put crashed and that nobody took
  std::vector<CallIndex> empties;          // ok takes that found nothing
  std::vector<CallIndex> crashed_takes;
  // Calls that contradict each other whatever the order of the container: taken twice, never put in, taken before.
  std::vector<CallIndex> contradiction;
};

// Why the elements cannot be told apart: "" when each is put in once and the container starts empty.
[[nodiscard]] std::string container_objection(const KeyHistory& history);
// REQUIRES: container_objection is empty.
[[nodiscard]] ContainerCalls container_calls(const KeyHistory& history);

// The same where it is given which call took each put (by put, kNoCall: none), whatever the values: an element is a put
// and its take. A take that crashed counts as one that returns some time. REQUIRES: a take returns after its put was
// invoked. crashed_takes and contradiction stay empty.
[[nodiscard]] ContainerCalls container_calls(const std::vector<Call>& calls, const std::vector<CallIndex>& take_of_put);

// A take that found nothing although at every moment of it some element was certainly inside, with the calls of the
// elements that show it; empty when there is none.
[[nodiscard]] std::vector<CallIndex> covered_empty(const std::vector<Call>& calls, const ContainerCalls& container);

// The decisions of the special cases about elements that can be told apart. REQUIRES: no contradiction. Of crashed
// takes only decide_queue knows what to do with them. Unknown: the budget is out.
[[nodiscard]] Decision decide_queue(const KeyHistory& history, const ContainerCalls& container, Budget& budget);
[[nodiscard]] Decision decide_stack(const KeyHistory& history, const ContainerCalls& container, Budget& budget);
[[nodiscard]] Decision decide_priority_queue(const KeyHistory& history, const ContainerCalls& container,
                                             Budget& budget);
// Any element may be taken at any time: only takes that found nothing can be wrong.
[[nodiscard]] Decision decide_unordered_queue(const KeyHistory& history, const ContainerCalls& container,
                                              Budget& budget);

// A union of intervals of time, each from one event to another. Adding n of them costs O(n log n).
class Cover {
 public:
  void add(EventIndex begin, EventIndex end);
  // Whether there is no moment between the two events that is outside of the union.
  [[nodiscard]] bool covers(EventIndex begin, EventIndex end) const;

 private:
  std::map<EventIndex, EventIndex> intervals_;  // disjoint, begin to end
};

}  // namespace ordeal::lin
