// The checker "rate-limit": no window of time holds more grants than the limit.
//
// Operations: `request`, ok when granted, fail when denied; keys, if any, have limits of their own. Options
// rate-limit.limit (N) and rate-limit.window (W). The claim is that of a sliding window: whatever instant one looks
// at, less than W apart there are never more than N grants. (A fixed window allows 2N across its border, a token bucket
// N and its burst: claim those numbers.)
//
//   too-many-grants   N + 1 grants, all invoked and answered within less than W by the recorder's clock
//
// A grant took place between its invocation and its answer, so those N + 1 were certainly less than W apart. Cost: O(n
// log n).
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

// Finds the first window, in the order of its last invocation, and tells it.
void judge_grants(Judgement& in, ValueId key, std::vector<OperationEvents> grants, std::size_t limit,
                  std::int64_t window) {
  const History& h = in.history();
  // Windows that begin with each invocation, the last one first. `within` holds the grants that began since, by their
  // end.
  std::sort(grants.begin(), grants.end(), [](auto a, auto b) { return a.invocation > b.invocation; });
  std::multiset<std::pair<std::int64_t, EventIndex>> within;
  for (const OperationEvents op : grants) {
    const std::int64_t begin = h.time(op.invocation);
    within.emplace(h.time(op.completion), op.invocation);
    while (!within.empty() && within.rbegin()->first - begin >= window) within.erase(std::prev(within.end()));
    if (within.size() <= limit) continue;
    std::vector<EventIndex> all;
    for (const auto& [end, invocation] : within) all.push_back(invocation);
    all.resize(limit + 1);
    in.tell("too-many-grants", all,
            std::to_string(within.size()) + " requests were granted within less than " +
                std::to_string(window / 1'000'000) + " ms, from " + in.event(op.invocation) + " on; at most " +
                std::to_string(limit) + " are allowed",
            {}, key);
    within.clear();  // tell the next window, not this one again
  }
}

void judge_rate_limit(Judgement& in) {
  if (!in.understands({"request"})) return;
  const std::int64_t limit = in.option("rate-limit.limit");
  const std::int64_t window = in.option_ns("rate-limit.window");
  std::map<ValueId, std::vector<OperationEvents>> grants;
  for (const OperationEvents op : in.operations()) {
    in.counter("denied") += in.failed(op) ? 1 : 0;
    if (!in.ok(op)) continue;
    if (in.history().time(op.invocation) < 0 || in.history().time(op.completion) < 0) {
      return in.refuse("the history has no times (" + in.event(op.invocation) + "), which this checker needs");
    }
    ++in.counter("granted");
    grants[in.key(op)].push_back(op);
  }
  for (auto& [key, all] : grants) judge_grants(in, key, std::move(all), static_cast<std::size_t>(limit), window);
  in.keys(grants.size());
  if (in.counter("granted") <= limit) in.inconclusive("no more requests were granted than the limit of one window");
}

}  // namespace

WorkloadChecker rate_limit() {
  return {"rate-limit",
          "requests that are granted or denied: no window of time holds more grants than the limit",
          {"sliding-window"},
          judge_rate_limit,
          {{"too-many-grants", "more requests were granted within a window of time than the limit"}},
          {{"rate-limit.limit", OptionSpec::Type::integer, 10, "how many grants a window may hold", 1, 1e9},
           {"rate-limit.window", OptionSpec::Type::duration, 0.1, "how long a window is", 0.001, 86400}}};
}

}  // namespace ordeal::work
