// The checker "rate-limit": no window of time holds more grants than the limit, and nobody is denied while it has room.
//
// Operations: `request`, ok when granted, fail when denied (its error, if it has one, of the kind "limited"; a failure
// of another kind is none of the limiter's); keys, if any, have limits of their own. Options rate-limit.limit (N) and
// rate-limit.window (W). The claim is that of a sliding window: whatever instant one looks at, less than W apart there
// are never more than N grants, and a request is denied only when the W before it held N. (A fixed window allows 2N
// across its border, a token bucket N and its burst: claim those numbers, and switch rate-limit.denials off.)
//
//   too-many-grants   N + 1 grants, all invoked and answered within less than W by the recorder's clock
//   needless-denial   denials for which there are no instants of the grants that give each of them N in the W before it
//
// A grant took place between its invocation and its answer, so those N + 1 were certainly less than W apart; and for a
// denial all grants count that may have taken place within W of any instant of it, those of unknown outcome, too.
// Denials are judged together: a slow grant that explains one of them cannot explain another that came much later.
// (That the instants must respect the limit as well is not asked.) Cost: O(n log n), and for each denial the grants
// before it.
#include <algorithm>
#include <limits>
#include <map>
#include <optional>
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

// Finds instants for grants that explain all denials together, each with `limit` grants from a window before it on. In
// the order of the denials' ends: what must have been granted by then was granted as late as it can have been; if those
// are too few, others that may already have been granted were, just then, those first that cannot have been much later.
// Later denials ask for grants as late as possible, too, so if this does not do, nothing does (an exchange argument, as
// for scheduling by deadlines).
class Denials {
 public:
  Denials(Judgement& in, ValueId key, std::size_t limit, std::int64_t window)
      : in_(in), key_(key), limit_(limit), window_(window) {}

  // `may_count`: grants, and requests of unknown outcome.
  void judge(std::vector<OperationEvents> denials, std::vector<OperationEvents> may_count) {
    const History& h = in_.history();
    std::sort(denials.begin(), denials.end(),
              [&](auto a, auto b) { return h.time(a.completion) < h.time(b.completion); });
    std::sort(may_count.begin(), may_count.end(),
              [&](auto a, auto b) { return h.time(a.invocation) < h.time(b.invocation); });
    std::size_t begun = 0;
    for (const OperationEvents denial : denials) {
      const std::int64_t from = h.time(denial.invocation) - window_, until = h.time(denial.completion);
      for (; begun < may_count.size() && h.time(may_count[begun].invocation) <= until; ++begun)
        open_.emplace(latest(may_count[begun]), may_count[begun].invocation);
      for (; !open_.empty() && open_.begin()->first <= until; open_.erase(open_.begin()))
        placed_.push_back({open_.begin()->first, open_.begin()->second, std::nullopt});
      std::size_t count = 0;
      for (auto one = placed_.rbegin(); one != placed_.rend() && one->at >= from; ++one) ++count;
      in_.work(1 + count);
      for (; count < limit_ && !open_.empty(); ++count) {
        placed_.push_back({until, open_.begin()->second, denial});
        open_.erase(open_.begin());
      }
      if (count < limit_) tell(denial, count);
    }
  }

 private:
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
  struct Placed {
    std::int64_t at = 0;
    EventIndex grant = kNoEvent;
    std::optional<OperationEvents> explains;  // the denial for which it was so early
  };

  std::int64_t latest(OperationEvents grant) const {
    return in_.ok(grant) ? in_.history().time(grant.completion) : kForever;
  }

  void tell(OperationEvents denial, std::size_t count) {
    const History& h = in_.history();
    const std::int64_t from = h.time(denial.invocation) - window_;
    std::vector<EventIndex> events = {denial.invocation};
    std::size_t earlier = 0;
    for (const Placed& one : placed_) {
      const OperationEvents grant{one.grant, h.partner(one.grant)};
      if (!one.explains || one.at >= from || latest(grant) < from) continue;
      ++earlier;
      events.push_back(one.grant);
      events.push_back(one.explains->invocation);
    }
    in_.tell("needless-denial", std::move(events),
             in_.named(denial) + " was denied, although at most " + std::to_string(count) +
                 " requests can have been granted in the " + std::to_string(window_ / 1'000'000) + " ms before" +
                 (earlier == 0 ? ""
                               : " (" + std::to_string(earlier) +
                                     " more must have been granted before that, for others were denied then)") +
                 "; " + std::to_string(limit_) + " are allowed",
             {}, key_);
  }

  Judgement& in_;
  const ValueId key_;
  const std::size_t limit_;
  const std::int64_t window_;
  std::set<std::pair<std::int64_t, EventIndex>> open_;  // not placed yet, by the latest instant
  std::vector<Placed> placed_;                          // by instant
};

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
    if (in.flag("rate-limit.denials")) Denials(in, key, most, window).judge(requests.denials, requests.may_count);
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
