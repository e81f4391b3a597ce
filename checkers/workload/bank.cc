// The checker "bank": transfers between accounts move money and neither make nor destroy any. After Jepsen's bank.
//
// Operations: `transfer` {"from" a, "to" b, "amount" n}; `read`, whose ok value is a map from account to balance, or
// the list of the balances of accounts 0, 1, …. All accounts exist before the first operation. Under snapshot isolation
// and above a read sees whole transfers only, so
//
//   wrong-total         the balances of a read do not add up to bank.total; when that is not given (0), two reads whose
//                       totals differ contradict each other, whatever the total is
//   negative-balance    a balance below zero, unless bank.negative-balances
//   unexpected-account  an account that is not among 0 … bank.accounts-1; with 0, any account is taken
//   nil-balance         an account without a balance
//
// Which transfers happened does not matter: each keeps the total, so `info` and `fail` need no thought.
#include <map>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

class Bank {
 public:
  explicit Bank(Judgement& in)
      : in_(in),
        accounts_(in.option("bank.accounts")),
        total_(in.option("bank.total")),
        negative_allowed_(in.flag("bank.negative-balances")) {}

  void run() {
    if (!in_.understands({"read", "transfer"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "transfer") {
        if (in_.ok(op)) ++in_.counter("transfers");
      } else if (in_.ok(op)) {
        if (!in_.is_map(in_.seen(op)) && !in_.is_list(in_.seen(op)))
          return in_.refuse(op, "a map from accounts to balances");
        read(op);
        if (in_.refused()) return;
      }
    }
    if (in_.counter("reads") == 0)
      in_.inconclusive("no read succeeded, so nothing is known about the balances");
    else if (in_.counter("transfers") == 0)
      in_.inconclusive("no transfer succeeded, so nothing was put to the test");
  }

 private:
  void read(OperationEvents op) {
    ++in_.counter("reads");
    std::int64_t sum = 0;
    bool whole = true;
    if (in_.is_list(in_.seen(op))) {
      const auto balances = in_.items(in_.seen(op));
      for (std::size_t i = 0; i < balances.size() && !in_.refused(); ++i) {
        whole = account(op, std::to_string(i), static_cast<std::int64_t>(i), balances[i], sum) && whole;
      }
    } else {
      const auto entries = in_.values().as_map(in_.seen(op));
      for (std::size_t i = 0; i < entries.size() && !in_.refused(); i += 2) {
        whole = account(op, in_.shown(entries[i]), in_.integer_name(entries[i]), entries[i + 1], sum) && whole;
      }
    }
    if (in_.refused()) return;
    if (whole) compare(op, sum);
  }

  // Adds the balance. False when the account says nothing about the total.
  bool account(OperationEvents op, const std::string& name, std::optional<std::int64_t> number, ValueId balance,
               std::int64_t& sum) {
    if (accounts_ > 0 && (!number || *number < 0 || *number >= accounts_)) {
      in_.tell("unexpected-account", {op.invocation},
               in_.named(op) + " returned the account " + name + ", which does not exist");
      return false;
    }
    if (balance == kNil) {
      in_.tell("nil-balance", {op.invocation}, in_.named(op) + " returned no balance of account " + name);
      return false;
    }
    const auto amount = in_.integer(balance);
    if (!amount || __builtin_add_overflow(sum, *amount, &sum)) {
      in_.refuse(op, "whole numbers as balances");
      return false;
    }
    if (*amount < 0 && !negative_allowed_) {
      in_.tell("negative-balance", {op.invocation},
               in_.named(op) + " returned the balance " + std::to_string(*amount) + " of account " + name +
                   ", which must not be negative");
    }
    return true;
  }

  void compare(OperationEvents op, std::int64_t sum) {
    if (total_ > 0) {
      if (sum != total_) {
        in_.tell("wrong-total", {op.invocation},
                 in_.named(op) + " returned balances that add up to " + std::to_string(sum) + " instead of " +
                     std::to_string(total_),
                 {"Transfers move money and keep the total of " + std::to_string(total_) + ".",
                  "The read by process " + in_.history().process_name(in_.history().process(op.invocation)) + " saw " +
                      in_.shown(in_.seen(op)) + ", " + std::to_string(sum) + " in all."});
      }
      return;
    }
    if (!first_) {
      first_ = op;
      first_sum_ = sum;
    } else if (sum != first_sum_) {
      in_.tell(
          "wrong-total", {first_->invocation, op.invocation},
          in_.named(op) + " returned balances that add up to " + std::to_string(sum) + ", those of " +
              in_.event(first_->invocation) + " to " + std::to_string(first_sum_),
          {"Transfers move money and keep the total, so all reads must agree on it.",
           in_.named(*first_) + " saw " + in_.shown(in_.seen(*first_)) + ", " + std::to_string(first_sum_) + " in all.",
           in_.named(op) + " saw " + in_.shown(in_.seen(op)) + ", " + std::to_string(sum) + " in all."});
    }
  }

  Judgement& in_;
  const std::int64_t accounts_;
  const std::int64_t total_;
  const bool negative_allowed_;
  std::optional<OperationEvents> first_;
  std::int64_t first_sum_ = 0;
};

}  // namespace

WorkloadChecker bank() {
  return {"bank",
          "transfers between accounts: the total never changes, no balance is negative",
          {"snapshot-isolation"},
          [](Judgement& in) { Bank(in).run(); },
          {{"wrong-total", "the balances of a read do not add up to the total, or to what another read saw"},
           {"negative-balance", "a read shows an account with less than nothing"},
           {"unexpected-account", "a read shows an account that does not exist"},
           {"nil-balance", "a read shows an account without a balance"}},
          {{"bank.accounts", OptionSpec::Type::integer, 0,
            "how many accounts there are, 0 … N-1; 0: eight, and a read may show others", 0, 1e6},
           {"bank.total", OptionSpec::Type::integer, 0, "what all balances add up to; 0: whatever the reads agree upon",
            0, 1e15},
           {"bank.negative-balances", OptionSpec::Type::boolean, false, "whether a balance may be negative"}}};
}

}  // namespace ordeal::work
