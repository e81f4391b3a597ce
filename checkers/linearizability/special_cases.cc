#include "checkers/linearizability/special_cases.h"

#include <algorithm>

#include "checkers/linearizability/special_case_base.h"

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

std::vector<std::unique_ptr<Strategy>> special_cases() {
  std::vector<std::unique_ptr<Strategy>> out;
  for (const auto make : {log_prefix_strategy, set_chain_strategy, set_elements_strategy, queue_order_strategy,
                          stack_gaps_strategy, priority_cover_strategy, counter_deadlines_strategy,
                          fetch_add_places_strategy, unique_ids_strategy, lock_cores_strategy, lock_deadlines_strategy}) {
    out.push_back(make());
  }
  return out;
}

}  // namespace ordeal::lin
