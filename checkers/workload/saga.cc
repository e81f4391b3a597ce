// The checker "saga": a ledger of events, to which sagas of several steps add, and the balances kept beside it.
//
// Operations: `saga` {"id" i, "from" a, "to" b, "amount" n}, i unique: takes n from a, then gives it to b, a step at a
// time; ok when both happened, fail when it was given up and all that was done is compensated by further events.
// `read`, whose ok value is {"balances" {account n, …}, "events" [[i account n], …]}, one snapshot of both.
//
//   ledger-mismatch      balances less the sums of events differ between two reads: one of them does not add up
//   incomplete-saga      acknowledged before a read began; in that read its events do not add up to -n for a and +n for
//   b uncompensated-saga   failed before a read began; in that read its events do not add up to nothing
//   unexpected-event     of a saga that nobody began, or only after the read
//
// Sagas that are under way, or of unknown outcome, may show any part of themselves.
#include <map>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

using Sums = std::map<ValueId, std::int64_t>;  // by account

struct Begun {
  OperationEvents op;
  ValueId from = kNil, to = kNil;
  std::int64_t amount = 0;
};

class Sagas {
 public:
  explicit Sagas(Judgement& in) : in_(in) {}

  void run() {
    if (!in_.understands({"saga", "read"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "saga" && !begin(op)) return;
    }
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "read" && in_.ok(op) && !read(op)) return;
    }
    if (in_.counter("reads") == 0)
      in_.inconclusive("no read succeeded, so nothing is known about the ledger");
    else if (in_.counter("judged") == 0)
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

  // Sums up the events of a read by saga and by account. False when it was refused.
  bool sum(OperationEvents op, std::map<ValueId, Sums>& by_saga, Sums& by_account) {
    const ValueId events = in_.values().member(in_.seen(op), "events");
    for (const ValueId event : in_.items(events)) {
      const auto parts = in_.items(event);
      const auto amount = parts.size() == 3 ? in_.integer(parts[2]) : std::nullopt;
      if (!amount) {
        in_.refuse(op, "events [id account amount]");
        return false;
      }
      by_saga[parts[0]][parts[1]] += *amount;
      by_account[in_.one_name(parts[1])] += *amount;
    }
    return true;
  }

  bool read(OperationEvents op) {
    const ValueId seen = in_.seen(op);
    const bool whole = in_.is_map(seen) && in_.is_map(in_.values().member(seen, "balances")) &&
                       in_.is_list(in_.values().member(seen, "events"));
    std::map<ValueId, Sums> by_saga;
    Sums by_account;
    if (!whole) {
      in_.refuse(op, R"({"balances" {…}, "events" […]})");
      return false;
    }
    if (!sum(op, by_saga, by_account) || !balances(op, by_account)) return false;
    ++in_.counter("reads");
    for (const auto& [id, sums] : by_saga) {
      const auto known = sagas_.find(id);
      if (known != sagas_.end() && known->second.op.invocation < op.completion) continue;
      in_.tell("unexpected-event", {op.invocation},
               in_.named(op) + " shows events of a saga " + in_.shown(id) + " that nobody had begun");
    }
    for (const auto& [id, begun] : sagas_) {
      if (in_.before(begun.op, op)) effect(id, begun, op, by_saga[id]);
    }
    return true;
  }

  // What the accounts held before the first event must be the same whichever read one asks.
  bool balances(OperationEvents op, const Sums& by_account) {
    const auto entries = in_.values().as_map(in_.values().member(in_.seen(op), "balances"));
    for (std::size_t i = 0; i < entries.size(); i += 2) {
      const auto balance = in_.integer(entries[i + 1]);
      if (!balance) {
        in_.refuse(op, "whole numbers as balances");
        return false;
      }
      const ValueId account = in_.one_name(entries[i]);
      const auto sum = by_account.find(account);
      const std::int64_t initial = *balance - (sum == by_account.end() ? 0 : sum->second);
      const auto [place, fresh] = initial_.try_emplace(account, initial, op);
      if (fresh || place->second.first == initial) continue;
      in_.tell("ledger-mismatch", {place->second.second.invocation, op.invocation},
               in_.named(op) + " returned the balance " + std::to_string(*balance) + " of account " +
                   in_.shown(account) + ", which less its events is " + std::to_string(initial) + "; in the read of " +
                   in_.event(place->second.second.invocation) + " it is " + std::to_string(place->second.first));
    }
    return true;
  }

  void effect(ValueId id, const Begun& begun, OperationEvents read, Sums sums) {
    ++in_.counter("judged");
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
  std::map<ValueId, Begun> sagas_;
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
           {"unexpected-event", "an event of a saga that nobody had begun"}}};
}

}  // namespace ordeal::work
