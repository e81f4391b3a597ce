// The checker "saga": a ledger of events, to which sagas of several steps add, and the balances kept beside it.
//
// Operations: `saga` {"id" i, "from" a, "to" b, "amount" n}, i unique: takes n from a, then gives it to b, a step at a
// time; ok when both happened, fail when it was given up and all that was done is compensated by further events.
// `read`, whose ok value is {"balances" {account n, …}, "events" [[i account n], …]}, one snapshot of both.
//
//   ledger-mismatch      balances less the sums of events differ between two reads, or a read shows events of an
//                        account and no balance: one of them does not add up
//   missing-account      an account that a read showed is not in one that began later
//   negative-balance     a balance below zero, unless saga.negative-balances
//   incomplete-saga      acknowledged before a read began; in that read its events do not add up to -n for a, +n for b
//   uncompensated-saga   failed before a read began; in that read its events do not add up to nothing
//   half-saga            of unknown outcome, and half done in the final read
//   impossible-step      events of one saga that no step of it can have made
//   lost-event           events of a saga that a read showed are not in one that began later
//   unexpected-event     of a saga that nobody began, or only after the read
//
// A saga under way, or of unknown outcome, may show how far it has come: nothing, the first step, or both; also that
// of a compensation. The final read is the last one, if it was invoked after every saga had ended in whatever way: the
// workload waits before it (saga.settle), and that this is long enough for whoever goes on with a crashed saga, to its
// end or back, is part of the claim. In it every saga is there as a whole or not at all; when there is but one such
// read, a half saga may still have been under way, and the verdict is `unknown`.
#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

using Sums = std::map<ValueId, std::int64_t>;  // by account

// What the events of one saga sum up to on one account.
struct Share {
  ValueId saga = kNil, account = kNil;
  std::int64_t amount = 0;
};
using Shares = std::span<const Share>;  // of one saga, by account

struct Begun {
  OperationEvents op;
  ValueId from = kNil, to = kNil;
  std::int64_t amount = 0;
};

class Sagas {
 public:
  explicit Sagas(Judgement& in) : in_(in), negative_allowed_(in.flag("saga.negative-balances")) {}

  void run() {
    if (!in_.understands({"saga", "read"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "saga" && !begin(op)) return;
    }
    find_final_read();
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "read" && in_.ok(op) && !read(op)) return;
    }
    in_.counter("judged") = judged_;
    if (in_.counter("reads") == 0)
      in_.inconclusive("no read succeeded, so nothing is known about the ledger");
    else if (judged_ == 0)
      in_.inconclusive("no saga ended before a read, so nothing was put to the test");
  }

 private:
  bool begin(OperationEvents op) {
    const ValueId asked = in_.asked(op);
    const auto amount = in_.integer(asked, "amount");
    const auto member = [&](std::string_view name) {
      return in_.is_map(asked) ? in_.values().member(asked, name) : kAbsent;
    };
    const Begun begun{op, member("from"), member("to"), amount.value_or(0)};
    if (!amount || member("id") == kAbsent || begun.from == kAbsent || begun.to == kAbsent) {
      in_.refuse(op, R"({"id" i, "from" a, "to" b, "amount" n})");
      return false;
    }
    if (sagas_.try_emplace(member("id"), begun).second) return true;
    in_.refuse("two sagas have the id " + in_.shown(member("id")) + " (" + in_.event(op.invocation) + ")");
    return false;
  }

  // Sums up the events of a read by saga and by account: shares_ and groups_, in the order of ids. False when it was
  // refused.
  bool sum(OperationEvents op, Sums& by_account) {
    shares_.clear();
    groups_.clear();
    const ValueId events = in_.values().member(in_.seen(op), "events");
    for (const ValueId event : in_.items(events)) {
      const auto parts = in_.items(event);
      const auto amount = parts.size() == 3 ? in_.integer(parts[2]) : std::nullopt;
      if (!amount) {
        in_.refuse(op, "events [id account amount]");
        return false;
      }
      shares_.push_back({parts[0], parts[1], *amount});
      by_account[name_of(parts[1])] += *amount;
    }
    const auto before = [](const Share& x, const Share& y) {
      return std::tie(x.saga, x.account) < std::tie(y.saga, y.account);
    };
    if (!std::is_sorted(shares_.begin(), shares_.end(), before)) std::sort(shares_.begin(), shares_.end(), before);
    std::size_t used = 0;
    for (const Share& one : shares_) {
      const bool same = used > 0 && shares_[used - 1].saga == one.saga && shares_[used - 1].account == one.account;
      if (same)
        shares_[used - 1].amount += one.amount;
      else
        shares_[used++] = one;
    }
    shares_.resize(used);
    for (std::size_t first = 0; first < used;) {
      std::size_t last = first;
      while (last < used && shares_[last].saga == shares_[first].saga) ++last;
      groups_.emplace_back(shares_.data() + first, last - first);
      first = last;
    }
    return true;
  }
  // An account under one name however it is spelled; each value is looked at once.
  ValueId name_of(ValueId account) {
    const auto [place, fresh] = names_.try_emplace(account, account);
    if (fresh) place->second = in_.one_name(account);
    return place->second;
  }

  void find_final_read() {
    EventIndex last = 0;
    for (const auto& [id, begun] : sagas_)
      last = std::max(last, begun.op.completion == kNoEvent ? begun.op.invocation : begun.op.completion);
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) != "read" || !in_.ok(op) || op.invocation < last) continue;
      final_ = op;
      ++settled_reads_;
    }
  }

  bool read(OperationEvents op) {
    const ValueId seen = in_.seen(op);
    const bool whole = in_.is_map(seen) && in_.is_map(in_.values().member(seen, "balances")) &&
                       in_.is_list(in_.values().member(seen, "events"));
    Sums by_account;
    if (!whole) {
      in_.refuse(op, R"({"balances" {…}, "events" […]})");
      return false;
    }
    if (!sum(op, by_account) || !balances(op, by_account)) return false;
    ++in_.counter("reads");
    auto known = sagas_.begin();  // both are in the order of ids
    for (const Shares group : groups_) {
      const ValueId id = group.front().saga;
      while (known != sagas_.end() && known->first < id) ++known;
      if (known != sagas_.end() && known->first == id && known->second.op.invocation < op.completion) continue;
      in_.tell("unexpected-event", {op.invocation},
               in_.named(op) + " shows events of a saga " + in_.shown(id) + " that nobody had begun");
    }
    auto next = groups_.begin();
    for (const auto& [id, begun] : sagas_) {
      while (next != groups_.end() && next->front().saga < id) ++next;
      const bool shows = next != groups_.end() && next->front().saga == id;
      if (in_.before(begun.op, op))
        effect(id, begun, op, shows ? *next : Shares());
      else if (shows)
        under_way(id, begun, op, *next);
    }
    keeps(op);
    return true;
  }

  // How far a saga has come that is under way, or of which nobody knows.
  void under_way(ValueId id, const Begun& begun, OperationEvents read, Shares sums) {
    const auto of = [&](ValueId account) { return amount_on(sums, account).value_or(0); };
    const std::int64_t from = of(begun.from), to = of(begun.to);
    const bool others = std::any_of(sums.begin(), sums.end(), [&](const auto& one) {
      return one.amount != 0 && one.account != begun.from && one.account != begun.to;
    });
    const bool nothing = from == 0 && to == 0, first = from == -begun.amount && to == 0;
    const bool both = from == -begun.amount && to == begun.amount;
    if (others || !(nothing || first || both)) {
      return in_.tell("impossible-step", {begun.op.invocation, read.invocation},
                      in_.named(read) + " shows " + std::to_string(from) + " on account " + in_.shown(begun.from) +
                          " and " + std::to_string(to) + " on account " + in_.shown(begun.to) + " from saga " +
                          in_.shown(id) + ", which no part of it makes");
    }
    if (!final_ || final_->invocation != read.invocation || nothing || both || begun.amount == 0) return;
    if (settled_reads_ < 2) {
      return in_.inconclusive("saga " + in_.shown(id) + ", whose outcome was not known, is half done in " +
                              in_.named(read) + ", and nobody looked again");
    }
    in_.tell("half-saga", {begun.op.invocation, read.invocation},
             "saga " + in_.shown(id) + ", whose outcome was not known (" + in_.event(begun.op.invocation) +
                 "), is half done for good: " + in_.named(read) + ", the final one, shows its first step alone");
  }

  // Events are added and never taken away: a compensation adds further ones.
  void keeps(OperationEvents read) {
    auto next = groups_.begin();  // both are in the order of ids
    in_.work(shown_.size());
    for (const auto& [id, shown] : shown_) {
      while (next != groups_.end() && next->front().saga < id) ++next;
      if (shown.first >= read.invocation || (next != groups_.end() && next->front().saga == id)) continue;
      in_.tell("lost-event", {shown.second, read.invocation},
               in_.named(read) + " shows no event of saga " + in_.shown(id) + ", although the read of " +
                   in_.event(shown.second) + ", which was over before, did");
    }
    auto place = shown_.begin();
    for (const Shares group : groups_) {
      const ValueId id = group.front().saga;
      while (place != shown_.end() && place->first < id) ++place;
      if (place == shown_.end() || place->first != id)
        place = shown_.emplace_hint(place, id, std::pair(read.completion, read.invocation));
      else if (read.completion < place->second.first)
        place->second = {read.completion, read.invocation};
    }
  }

  // What the accounts held before the first event must be the same whichever read one asks.
  bool balances(OperationEvents op, const Sums& by_account) {
    const auto entries = in_.values().as_map(in_.values().member(in_.seen(op), "balances"));
    std::set<ValueId> present;
    for (std::size_t i = 0; i < entries.size(); i += 2) {
      const auto balance = in_.integer(entries[i + 1]);
      if (!balance) {
        in_.refuse(op, "whole numbers as balances");
        return false;
      }
      const ValueId account = name_of(entries[i]);
      present.insert(account);
      if (*balance < 0 && !negative_allowed_) {
        in_.tell("negative-balance", {op.invocation},
                 in_.named(op) + " returned the balance " + std::to_string(*balance) + " of account " +
                     in_.shown(account) + ", which must not be negative");
      }
      const auto sum = by_account.find(account);
      const std::int64_t initial = *balance - (sum == by_account.end() ? 0 : sum->second);
      const auto [place, fresh] = initial_.try_emplace(account, initial, op);
      if (fresh || place->second.first == initial) continue;
      in_.tell("ledger-mismatch", {place->second.second.invocation, op.invocation},
               in_.named(op) + " returned the balance " + std::to_string(*balance) + " of account " +
                   in_.shown(account) + ", which less its events is " + std::to_string(initial) + "; in the read of " +
                   in_.event(place->second.second.invocation) + " it is " + std::to_string(place->second.first));
    }
    for (const auto& [account, sum] : by_account) {
      if (present.contains(account)) continue;
      in_.tell("ledger-mismatch", {op.invocation},
               in_.named(op) + " shows events of account " + in_.shown(account) + " and no balance of it");
    }
    for (const auto& [account, since] : accounts_) {
      if (since.completion >= op.invocation || present.contains(account)) continue;
      in_.tell("missing-account", {since.invocation, op.invocation},
               in_.named(op) + " shows no account " + in_.shown(account) + ", although " + in_.named(since) +
                   ", which was over before, did");
    }
    for (const ValueId account : present) {
      const auto [place, fresh] = accounts_.try_emplace(account, op);
      if (!fresh && op.completion < place->second.completion) place->second = op;
    }
    return true;
  }

  static std::optional<std::int64_t> amount_on(Shares shares, ValueId account) {
    for (const Share& one : shares) {
      if (one.account == account) return one.amount;
    }
    return std::nullopt;
  }

  void effect(ValueId id, const Begun& begun, OperationEvents read, Shares shown) {
    ++judged_;
    if (!in_.failed(begun.op) && begun.from != begun.to && shown.size() == 2 &&
        amount_on(shown, begun.from) == -begun.amount && amount_on(shown, begun.to) == begun.amount)
      return;
    Sums sums;
    for (const Share& one : shown) sums[one.account] += one.amount;
    if (!in_.failed(begun.op)) {
      sums[begun.from] += begun.amount;
      sums[begun.to] -= begun.amount;
    }
    for (const auto& [account, rest] : sums) {
      if (rest == 0) continue;
      const bool failed = in_.failed(begun.op);
      in_.tell(failed ? "uncompensated-saga" : "incomplete-saga", {begun.op.invocation, read.invocation},
               "saga " + in_.shown(id) + (failed ? " was given up" : " was acknowledged") + " (" +
                   in_.event(begun.op.completion) + ") before " + in_.named(read) + " began, which shows " +
                   std::to_string(rest < 0 ? -rest : rest) + (rest < 0 ? " too little" : " too much") + " on account " +
                   in_.shown(account) + " from it");
      return;
    }
  }

  Judgement& in_;
  const bool negative_allowed_;
  std::map<ValueId, Begun> sagas_;
  std::vector<Share> shares_;   // of the read at hand
  std::vector<Shares> groups_;  // the same by saga
  std::unordered_map<ValueId, ValueId> names_;
  std::optional<OperationEvents> final_;
  std::int64_t judged_ = 0;                                     // pairs of a saga that had ended and a read
  std::int64_t settled_reads_ = 0;                              // after every saga had ended
  std::map<ValueId, OperationEvents> accounts_;                 // the first read that showed each of them
  std::map<ValueId, std::pair<EventIndex, EventIndex>> shown_;  // by saga: since when a read had shown it, and which
  std::map<ValueId, std::pair<std::int64_t, OperationEvents>> initial_;  // by account: implied by the first read
};

}  // namespace

WorkloadChecker saga() {
  return {"saga",
          "sagas on a ledger: events add up to the balances, each saga is complete or compensated",
          {"eventually-atomic"},
          [](Judgement& in) { Sagas(in).run(); },
          {{"ledger-mismatch", "balances and the events they come from do not add up"},
           {"incomplete-saga", "an acknowledged saga lacks a step, or did one twice"},
           {"uncompensated-saga", "a saga that was given up left something behind"},
           {"half-saga", "a saga of unknown outcome is half done in the final read"},
           {"impossible-step", "the events of a saga are none that its steps can make"},
           {"lost-event", "events of a saga that a read showed are missing from a later one"},
           {"missing-account", "an account that a read showed is missing from a later one"},
           {"negative-balance", "a read shows an account with less than nothing"},
           {"unexpected-event", "an event of a saga that nobody had begun"}},
          {{"saga.negative-balances", OptionSpec::Type::boolean, false, "whether a balance may be negative"}}};
}

}  // namespace ordeal::work
