#include "checkers/linearizability/special/special_cases.h"

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/special_case_base.h"

namespace ordeal::lin {

Decision refuted(std::vector<CallIndex> culprits) {
  Decision out;
  out.verdict = Verdict::invalid;
  std::sort(culprits.begin(), culprits.end());
  culprits.erase(std::unique(culprits.begin(), culprits.end()), culprits.end());
  out.culprits = std::move(culprits);
  return out;
}

Decision explained(std::vector<CallIndex> order, bool want_order) {
  Decision out;
  out.verdict = Verdict::valid;
  if (want_order) out.order = std::move(order);
  return out;
}

std::optional<std::pair<CallIndex, CallIndex>> GroupSweep::add(std::vector<CallIndex> group) {
  std::sort(group.begin(), group.end());
  if (any_) {
    for (const CallIndex call : group) {
      if (calls_[call].ret < calls_[latest_].inv) return std::pair(latest_, call);
    }
  }
  for (const CallIndex call : group) {
    if (!any_ || calls_[call].inv > calls_[latest_].inv) latest_ = call;
    any_ = true;
    order_.push_back(call);
  }
  return std::nullopt;
}

std::span<const ValueId> elements_read(const KeyHistory& history, const Operation& read) {
  if (read.a == kNil) return {};
  return history.history->values().as_list(static_cast<ValueId>(read.a));
}

Decision refuted_with_elements(const KeyHistory& history, std::vector<CallIndex> culprits,
                               const ByValue<CallIndex>& put_in) {
  static_assert(set::kRead == log::kRead);
  const std::size_t given = culprits.size();
  for (std::size_t c = 0; c < given; ++c) {
    const Operation& op = history.calls[culprits[c]].op;
    if (op.code != set::kRead) continue;
    for (const ValueId element : elements_read(history, op)) {
      if (put_in[element] != kNoCall) culprits.push_back(put_in[element]);
    }
  }
  return refuted(std::move(culprits));
}

std::vector<std::unique_ptr<Strategy>> special_cases() {
  std::vector<std::unique_ptr<Strategy>> out;
  for (const auto make :
       {log_prefix_strategy, set_chain_strategy, queue_order_strategy, stack_gaps_strategy, priority_cover_strategy,
        counter_deadlines_strategy, counter_sums_strategy, fetch_add_places_strategy, unique_ids_strategy,
        lock_cores_strategy, lock_deadlines_strategy}) {
    out.push_back(make());
  }
  return out;
}

}  // namespace ordeal::lin
