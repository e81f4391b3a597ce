// The checker "concurrency-limit": permits of which there are N; who holds one may act (a semaphore, a bulkhead, a
// limit on connections).
//
// Operations: `acquire-permit`, fail when all are taken (its error, if it has one, of the kind "limited"; a failure of
// another kind says nothing), and `release-permit`, which gives one back that the process holds; keys, if any, are
// semaphores of their own. Option concurrency-limit.limit (N).
//
//   too-many-holders   more than N processes held a permit at one time
//   needless-denial    refused, although at no instant of the operation N permits can have been held; or several were,
//                      and no instants of the acquisitions and releases have N permits held at one of each
//   permits-lost       needless denials to the end, and from the first of them on never N permits at once: the capacity
//                      shrank for good
//
// A process holds for certain from its ok until it invokes a release, however that ends, or an operation that crashes,
// or the last invocation of all. It may hold from the invocation of an acquisition, one of unknown outcome, too, until
// the answer to a release that succeeded; once one of its operations crashed, until concurrency-limit.settle after
// that: permits of crashed holders come back, that is part of the claim (where they need not, make the time long). The
// first is all that the limit asks for (acquisitions take effect as late and releases as early as they can). Denials
// are looked at one by one, in O(n log n), and where none is needless by itself, all together, which is a search for an
// order of acquisitions, releases and refusals (orders.h). It has a number of steps for all keys; where they do not
// suffice it stays with the first, and the details say so: "denials-judged" is "together" or "one by one".
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/orders.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

struct Hold {
  OperationEvents acquire;
  EventIndex certain_until = kNoEvent;   // from the completion of the acquisition; kNoEvent: for none of it
  EventIndex possible_until = kNoEvent;  // from its invocation; kNoEvent: to the end
};

class Permits {
 public:
  Permits(Judgement& in, ValueId key)
      : in_(in), key_(key), limit_(static_cast<std::size_t>(in.option("concurrency-limit.limit"))) {}

  void take(OperationEvents op) {
    const ProcessId process = in_.history().process(op.invocation);
    last_invocation_ = std::max(last_invocation_, op.invocation);
    const bool crashed = !in_.ok(op) && !in_.failed(op);
    std::vector<std::size_t>& held = held_[process];
    if (in_.f(op) == "release-permit") {
      release(op, held);
    } else if (!in_.failed(op)) {
      held.push_back(holds_.size());
      holds_.push_back({op, crashed ? kNoEvent : op.completion, kNoEvent});
      in_.counter("acquired") += crashed ? 0 : 1;
    } else if (is_denial(op)) {
      ++in_.counter("denied");
      denials_.push_back(op);
    }
    if (!crashed) return;
    for (const std::size_t hold : held) {
      end_certain(holds_[hold], op.invocation);
      holds_[hold].possible_until = settled(op);
    }
    held.clear();
  }

  // Whether all was decided: the denials together, not only one by one.
  bool judge() {
    for (const auto& [process, held] : held_) {
      for (const std::size_t hold : held) end_certain(holds_[hold], last_invocation_);
    }
    holders();
    if (!in_.flag("concurrency-limit.denials")) return true;
    denied();
    return denials_.empty() || in_.accused() || together();
  }
  // Whether the limit was reached, and, where denials count, somebody was refused.
  [[nodiscard]] bool tested() const {
    return in_.flag("concurrency-limit.denials") ? !denials_.empty() && holds_.size() >= limit_ : most_ >= limit_;
  }

 private:
  bool is_denial(OperationEvents op) const {
    const EventError* error = in_.history().error(op.completion);
    return error == nullptr || error->kind.empty() || error->kind == "limited";
  }

  static void end_certain(Hold& hold, EventIndex at) {
    // Open ones end where they began.
    if (hold.certain_until == hold.acquire.completion && hold.certain_until != kNoEvent)
      hold.certain_until = std::max(hold.certain_until, at);
  }

  void release(OperationEvents op, std::vector<std::size_t>& held) {
    if (held.empty()) return;
    Hold& oldest = holds_[held.front()];
    end_certain(oldest, op.invocation);
    if (!in_.ok(op)) return;
    oldest.possible_until = op.completion;
    held.erase(held.begin());
  }

  // The last event at which a permit may not have come back yet of a process that crashed in `op`.
  EventIndex settled(OperationEvents op) const {
    const History& h = in_.history();
    if (op.completion == kNoEvent || h.time(op.completion) < 0) return kNoEvent;
    const std::int64_t until = h.time(op.completion) + in_.option_ns("concurrency-limit.settle");
    EventIndex last = op.completion;
    for (auto e = static_cast<EventIndex>(h.size()); e-- > op.completion && last == op.completion;) {
      in_.work();
      if (h.time(e) <= until) last = e;
    }
    return last;
  }

  void holders() {
    std::vector<const Hold*> certain;
    for (const Hold& hold : holds_) {
      if (hold.certain_until != kNoEvent) certain.push_back(&hold);
    }
    std::sort(certain.begin(), certain.end(),
              [](auto a, auto b) { return a->acquire.completion < b->acquire.completion; });
    std::multimap<EventIndex, const Hold*> now;  // by their end
    for (const Hold* hold : certain) {
      now.erase(now.begin(), now.lower_bound(hold->acquire.completion));
      now.emplace(hold->certain_until, hold);
      most_ = std::max(most_, now.size());
      if (now.size() <= limit_) continue;
      std::vector<EventIndex> events;
      for (const auto& [until, one] : now) events.insert(events.end(), {one->acquire.invocation, until});
      in_.tell("too-many-holders", std::move(events),
               "process " + in_.history().process_name(in_.history().process(hold->acquire.invocation)) +
                   " was granted a permit (" + in_.event(hold->acquire.completion) + ") while " +
                   std::to_string(now.size() - 1) + " others held one; " + std::to_string(limit_) + " are allowed",
               {}, key_);
    }
  }

  // How many may have held at the event, from those that may have begun by then.
  [[nodiscard]] std::size_t possible(EventIndex at) const {
    in_.work();
    const auto begun = std::upper_bound(begins_.begin(), begins_.end(), at) - begins_.begin();
    const auto ended = std::lower_bound(ends_.begin(), ends_.end(), at) - ends_.begin();
    return static_cast<std::size_t>(begun - ended);
  }

  void denied() {
    for (const Hold& hold : holds_) {
      begins_.push_back(hold.acquire.invocation);
      ends_.push_back(hold.possible_until);
    }
    std::sort(begins_.begin(), begins_.end());
    std::sort(ends_.begin(), ends_.end());
    std::vector<std::pair<OperationEvents, std::size_t>> needless;  // with how many may have held
    for (const OperationEvents op : denials_) {
      std::size_t most = possible(op.invocation);
      auto next = std::upper_bound(begins_.begin(), begins_.end(), op.invocation);
      for (; next != begins_.end() && *next < op.completion; ++next) most = std::max(most, possible(*next));
      if (most < limit_) needless.emplace_back(op, most);
    }
    if (needless.empty() || lost(needless)) return;
    for (const auto& [op, most] : needless) {
      in_.tell("needless-denial", {op.invocation},
               in_.named(op) + " was refused, although at most " + std::to_string(most) + " of " +
                   std::to_string(limit_) + " permits can have been held meanwhile",
               {}, key_);
    }
  }

  // How many hold, and of holds of unknown outcome, by number, whether they began (and, negated, were over).
  struct State {
    std::size_t count = 0;
    std::map<std::size_t, bool> uncertain;
    friend bool operator<(const State& a, const State& b) {
      return std::tie(a.count, a.uncertain) < std::tie(b.count, b.uncertain);
    }
  };
  using Search = Orders<State>;

  // An acquisition and the release after it; instants include the events themselves, so that each event has two.
  void add(Search& search, std::size_t number) const {
    const Hold& hold = holds_[number];
    const bool certain = hold.certain_until != kNoEvent;
    const EventIndex begin = 2 * hold.acquire.invocation;
    const EventIndex taken = certain ? 2 * hold.acquire.completion + 1 : kNoEvent;
    const EventIndex over = hold.possible_until == kNoEvent ? kNoEvent : 2 * hold.possible_until + 1;
    if (certain) {
      search.add(begin, taken, [limit = limit_](const State& now, const Search::Next& next) {
        if (now.count < limit) next({now.count + 1, now.uncertain});
      });
      search.add(std::max(2 * hold.certain_until, taken), over, [](const State& now, const Search::Next& next) {
        next({now.count - 1, now.uncertain});
      });
      return;
    }
    search.add(begin, kNoEvent, [limit = limit_, number](const State& now, const Search::Next& next) {
      if (now.count == limit || now.uncertain.contains(number)) return;
      State after{now.count + 1, now.uncertain};
      after.uncertain.emplace(number, true);
      next(std::move(after));
    });
    search.add(begin, over, [number](const State& now, const Search::Next& next) {
      const auto found = now.uncertain.find(number);
      const bool holds = found != now.uncertain.end() && found->second;
      State after{now.count - (holds ? 1 : 0), now.uncertain};
      after.uncertain[number] = false;
      next(std::move(after));
    });
  }

  // Whether some order explains all denials. False: that was not decided.
  bool together() {
    Search search;
    search.limit(kMaxSteps);
    for (std::size_t number = 0; number < holds_.size(); ++number) add(search, number);
    const std::size_t first_denial = search.size();
    for (const OperationEvents op : denials_) {
      const auto full = [limit = limit_](const State& now, const Search::Next& next) {
        if (now.count == limit) next(now);
      };
      search.add(2 * op.invocation, 2 * op.completion + 1, full, true);
    }
    const OrdersVerdict found = search.judge({}, in_);
    if (found.gave_up) return false;
    if (found.explained) return true;
    std::vector<OperationEvents> needed;
    if (denials_.size() <= kMaxTriedOneByOne) {
      for (const std::size_t i : search.proof({}, in_, found, [&](std::size_t one) { return one >= first_denial; })) {
        if (i >= first_denial) needed.push_back(denials_[i - first_denial]);
      }
    } else {
      needed = denials_;
    }
    tell_together(needed);
    return true;
  }

  void tell_together(const std::vector<OperationEvents>& needed) {
    std::vector<EventIndex> events;
    std::string which;
    for (const OperationEvents op : needed) {
      events.push_back(op.invocation);
      if (events.size() <= kMaxNamed) which += (which.empty() ? "" : ", ") + in_.event(op.invocation);
    }
    if (needed.size() > kMaxNamed) which += ", …";
    for (const Hold& hold : holds_) {
      const bool meanwhile = std::any_of(needed.begin(), needed.end(), [&](OperationEvents op) {
        return hold.acquire.invocation < op.completion && hold.possible_until > op.invocation;
      });
      if (meanwhile) events.push_back(hold.acquire.invocation);
    }
    std::sort(events.begin(), events.end());
    in_.tell("needless-denial", std::move(events),
             "refused although no instants of the acquisitions and releases have all " + std::to_string(limit_) +
                 " permits held " +
                 (needed.size() == 1 ? "meanwhile" : "during each of the refusals, as they can be during one") + " (" +
                 which + ")",
             {}, key_);
  }

  bool lost(const std::vector<std::pair<OperationEvents, std::size_t>>& needless) {
    constexpr std::size_t kForGood = 3;
    if (needless.size() < kForGood) return false;
    const OperationEvents first = needless.front().first, last = needless.back().first;
    std::size_t most = 0;
    for (const Hold& hold : holds_) {
      if (in_.ok(hold.acquire) && hold.acquire.completion > first.invocation)
        most = std::max(most, possible(hold.acquire.completion));
    }
    if (most >= limit_) return false;
    std::vector<EventIndex> events;
    for (const auto& [op, count] : needless) {
      if (events.size() < kForGood) events.push_back(op.invocation);
    }
    in_.tell("permits-lost", std::move(events),
             "from " + in_.named(first) + " on, at most " + std::to_string(most) + " of " + std::to_string(limit_) +
                 " permits were ever held at once, and " + std::to_string(needless.size()) +
                 " acquisitions were refused without need, the last at " + in_.event(last.invocation) +
                 ": permits are lost",
             {}, key_);
    return true;
  }

  static constexpr std::size_t kMaxSteps = 1'000'000, kMaxTriedOneByOne = 40, kMaxNamed = 10;
  Judgement& in_;
  ValueId key_;
  const std::size_t limit_;
  std::vector<Hold> holds_;
  std::map<ProcessId, std::vector<std::size_t>> held_;  // by process: its holds, the oldest first
  std::vector<OperationEvents> denials_;
  std::vector<EventIndex> begins_, ends_;  // of possible holds, sorted
  EventIndex last_invocation_ = 0;
  std::size_t most_ = 0;  // that held for certain at one time
};

void judge_concurrency_limit(Judgement& in) {
  if (!in.understands({"acquire-permit", "release-permit"})) return;
  std::map<ValueId, Permits> keys;
  for (const OperationEvents op : in.operations()) keys.try_emplace(in.key(op), in, in.key(op)).first->second.take(op);
  bool tested = false, together = true;
  for (auto& [key, permits] : keys) {
    together = permits.judge() && together;
    tested = tested || permits.tested();
  }
  in.keys(keys.size());
  if (in.flag("concurrency-limit.denials")) in.detail("denials-judged", together ? "together" : "one by one");
  if (!tested) in.inconclusive("the permits were never all taken, so the limit was not put to the test");
}

}  // namespace

WorkloadChecker concurrency_limit() {
  return {"concurrency-limit",
          "permits that are taken and given back: never more holders than permits, and none lost",
          {"semaphore"},
          judge_concurrency_limit,
          {{"too-many-holders", "more processes held a permit at one time than there are permits"},
           {"needless-denial", "a request was denied although the limit allowed it"},
           {"permits-lost", "from some time on fewer permits than there are could be held at once"}},
          {{"concurrency-limit.limit", OptionSpec::Type::integer, 3, "how many permits there are", 1, 1e6},
           {"concurrency-limit.denials", OptionSpec::Type::boolean, true,
            "whether an acquisition may be refused only when all permits are taken"},
           {"concurrency-limit.settle", OptionSpec::Type::duration, 2.0,
            "how long after it crashed the permits of a holder have come back", 0, 3600}}};
}

}  // namespace ordeal::work
