// The checker "rate-limit": no window of time holds more grants than the limit, and nobody is denied while it has room.
//
// Operations: `request`, ok when granted, fail when denied (its error, if it has one, of the kind "limited"; a failure
// of another kind is none of the limiter's); keys, if any, have limits of their own. Options rate-limit.limit (N) and
// rate-limit.window (W). The claim is that of a sliding window: whatever instant one looks at, less than W apart there
// are never more than N grants, and a request is denied only when the W before it held N. (A fixed window allows 2N
// across its border, a token bucket N and its burst: claim those numbers, and switch rate-limit.denials off.)
//
//   too-many-grants   N + 1 grants, all invoked and answered within less than W by the recorder's clock
//   needless-denial   a denial, although fewer than N requests can have been granted in the W before it
//
// A grant took place between its invocation and its answer, so those N + 1 were certainly less than W apart; and for a
// denial all grants count that may have taken place within W of any instant of it, those of unknown outcome, too. Cost:
// O(n log n).
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

// Tells denials before which the window had room for certain. `may_count`: grants, and requests of unknown outcome.
void judge_denials(Judgement& in, ValueId key, const std::vector<OperationEvents>& denials,
                   const std::vector<OperationEvents>& may_count, std::size_t limit, std::int64_t window) {
  const History& h = in.history();
  std::vector<std::int64_t> begun, ended;
  for (const OperationEvents op : may_count) {
    begun.push_back(h.time(op.invocation));
    if (in.ok(op)) ended.push_back(h.time(op.completion));
  }
  std::sort(begun.begin(), begun.end());
  std::sort(ended.begin(), ended.end());
  for (const OperationEvents op : denials) {
    in.work();
    const auto before = std::upper_bound(begun.begin(), begun.end(), h.time(op.completion)) - begun.begin();
    const auto expired = std::lower_bound(ended.begin(), ended.end(), h.time(op.invocation) - window) - ended.begin();
    const auto room = static_cast<std::size_t>(before - expired);
    if (room >= limit) continue;
    in.tell("needless-denial", {op.invocation},
            in.named(op) + " was denied, although at most " + std::to_string(room) +
                " requests can have been granted in the " + std::to_string(window / 1'000'000) + " ms before; " +
                std::to_string(limit) + " are allowed",
            {}, key);
  }
}

bool is_denial(const Judgement& in, OperationEvents op) {
  if (!in.failed(op)) return false;
  const EventError* error = in.history().error(op.completion);
  return error == nullptr || error->kind.empty() || error->kind == "limited";
}

void judge_rate_limit(Judgement& in) {
  if (!in.understands({"request"})) return;
  const std::int64_t limit = in.option("rate-limit.limit");
  const std::int64_t window = in.option_ns("rate-limit.window");
  struct Requests {
    std::vector<OperationEvents> grants, may_count, denials;
  };
  std::map<ValueId, Requests> keys;
  for (const OperationEvents op : in.operations()) {
    const bool denial = is_denial(in, op);
    in.counter("denied") += denial ? 1 : 0;
    if (in.failed(op) && !denial) continue;
    if (in.history().time(op.invocation) < 0 || ((in.ok(op) || denial) && in.history().time(op.completion) < 0)) {
      return in.refuse("the history has no times (" + in.event(op.invocation) + "), which this checker needs");
    }
    Requests& requests = keys[in.key(op)];
    if (denial) {
      requests.denials.push_back(op);
      continue;
    }
    requests.may_count.push_back(op);
    if (!in.ok(op)) continue;
    ++in.counter("granted");
    requests.grants.push_back(op);
  }
  const auto most = static_cast<std::size_t>(limit);
  for (auto& [key, requests] : keys) {
    if (in.flag("rate-limit.denials")) judge_denials(in, key, requests.denials, requests.may_count, most, window);
    judge_grants(in, key, std::move(requests.grants), most, window);
  }
  in.keys(keys.size());
  if (in.counter("granted") <= limit) in.inconclusive("no more requests were granted than the limit of one window");
}

}  // namespace

WorkloadChecker rate_limit() {
  return {"rate-limit",
          "requests that are granted or denied: no window of time holds more grants than the limit",
          {"sliding-window"},
          judge_rate_limit,
          {{"too-many-grants", "more requests were granted within a window of time than the limit"},
           {"needless-denial", "a request was denied although the limit allowed it"}},
          {{"rate-limit.limit", OptionSpec::Type::integer, 10, "how many grants a window may hold", 1, 1e9},
           {"rate-limit.window", OptionSpec::Type::duration, 0.1, "how long a window is", 0.001, 86400},
           {"rate-limit.denials", OptionSpec::Type::boolean, true,
            "whether a denial must have the limit of grants in the window before it"}}};
}

}  // namespace ordeal::work
