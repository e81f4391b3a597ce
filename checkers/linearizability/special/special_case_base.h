#pragma once
// What the special cases share: how they say no, and the sweep over groups of operations in a known order.
// Thread-safety: values and pure functions.

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/special/by_value.h"

namespace ordeal::lin {

// A decision `invalid` with the calls that show it.
[[nodiscard]] Decision refuted(std::vector<CallIndex> culprits);
// A decision `valid`, with the order when it was asked for.
[[nodiscard]] Decision explained(std::vector<CallIndex> order, bool want_order);

// Looks for a call that must come after another by its place in `order` (groups in the order in which they must take
// effect; calls within a group are free) although it had returned before the other was invoked. One pass: a call is
// wrong exactly when it returned before the latest invocation among the groups before its own.
class GroupSweep {
 public:
  explicit GroupSweep(const std::vector<Call>& calls) : calls_(calls) {}
  // Adds the next group. Returns the pair (earlier, later) that contradicts real time, if there is one.
  std::optional<std::pair<CallIndex, CallIndex>> add(std::vector<CallIndex> group);
  // All groups so far, those within a group by invocation.
  [[nodiscard]] std::vector<CallIndex> take_order() { return std::move(order_); }

 private:
  const std::vector<Call>& calls_;
  std::vector<CallIndex> order_;
  CallIndex latest_ = 0;  // the call with the latest invocation so far
  bool any_ = false;
};

// The elements that a read of a set or a log returned.
[[nodiscard]] std::span<const ValueId> elements_read(const KeyHistory& history, const Operation& read);
// `refuted` with, for each read among the culprits, the calls that put in what it returned. `put_in` gives those by
// element, kNoCall where there is none.
inline constexpr CallIndex kNoCall = 0xFFFFFFFFu;
[[nodiscard]] Decision refuted_with_elements(const KeyHistory& history, std::vector<CallIndex> culprits,
                                             const ByValue<CallIndex>& put_in);

// Whether the model starts in its empty state.
[[nodiscard]] inline bool starts_empty(const KeyHistory& history) { return history.model->initial().empty(); }

}  // namespace ordeal::lin
