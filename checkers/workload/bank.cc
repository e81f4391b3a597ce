// The checker "bank": transfers between accounts move money and neither make nor destroy any. After Jepsen's bank.
//
// Operations: `transfer` {"from" a, "to" b, "amount" n}; `read`, whose ok value is a map from account to balance, or
// the list of the balances of accounts 0, 1, …. All accounts exist before the first operation.
//
//   wrong-total            the balances of a read do not add up to bank.total; when that is not given (0), two reads
//                          whose totals differ contradict each other, whatever the total is
//   negative-balance       a balance below zero, unless bank.negative-balances
//   unexpected-account     an account that is not among 0 … bank.accounts-1; with 0, any account is taken
//   missing-account        of two reads one has an account that the other lacks
//   nil-balance            an account without a balance
//   unexplained-balances   (strict-serializable) no part of the transfers that may have happened until a read ended,
//                          with all that were acknowledged before it began, leads from the initial balances to what
//                          it shows; or one choice alone does, and lacks a transfer that was over before one of it
//                          began; or no one order explains several reads together
//   incomparable-reads     (strict-serializable) of two reads each shows a transfer that the other one lacks
//
// "snapshot-isolation" is Jepsen's promise: every read shows whole transfers, however late; which of them does not
// matter, for each keeps the total. "strict-serializable" asks of every read which transfers it shows: bank_moves.h
// decides.
#include <map>
#include <set>

#include "checkers/workload/bank_moves.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

class Bank {
 public:
  explicit Bank(Judgement& in)
      : in_(in),
        accounts_(in.option("bank.accounts")),
        total_(in.option("bank.total")),
        negative_allowed_(in.flag("bank.negative-balances")),
        moves_(in) {}

  void run() {
    if (!in_.understands({"read", "transfer"})) return;
    const bool strict = in_.level("strict-serializable") == "strict-serializable";
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "transfer") {
        if (in_.ok(op)) ++in_.counter("transfers");
        if (strict && !moves_.transfer(op)) return;
      } else if (in_.ok(op)) {
        if (!in_.is_map(in_.seen(op)) && !in_.is_list(in_.seen(op)))
          return in_.refuse(op, "a map from accounts to balances");
        read(op);
        if (in_.refused()) return;
      }
    }
    if (strict && !in_.accused()) moves_.judge();
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
    balances_.clear();
    if (in_.is_list(in_.seen(op))) {
      const auto balances = in_.items(in_.seen(op));
      for (std::size_t i = 0; i < balances.size() && !in_.refused(); ++i) {
        whole = account(op, std::to_string(i), static_cast<std::int64_t>(i), balances[i], sum) && whole;
      }
    } else {
      const auto entries = in_.values().as_map(in_.seen(op));
      for (std::size_t i = 0; i < entries.size() && !in_.refused(); i += 2) {
        whole = account(op, account_name(in_, entries[i]), in_.integer_name(entries[i]), entries[i + 1], sum) && whole;
      }
    }
    if (in_.refused()) return;
    if (!whole) return;
    compare(op, sum);
    same_accounts(op);
    moves_.read(op, balances_);
  }

  void same_accounts(OperationEvents op) {
    std::set<std::string> names;
    for (const auto& [name, balance] : balances_) names.insert(name);
    if (accounts_known_.empty()) {
      accounts_known_ = std::move(names);
      accounts_by_ = op;
      return;
    }
    for (const auto* one : {&names, &accounts_known_}) {
      const auto& other = one == &names ? accounts_known_ : names;
      for (const std::string& name : *one) {
        if (other.contains(name)) continue;
        const OperationEvents has = one == &names ? op : accounts_by_, lacks = one == &names ? accounts_by_ : op;
        return in_.tell("missing-account", {has.invocation, lacks.invocation},
                        in_.named(lacks) + " returned no account " + name + ", " + in_.named(has) + " did");
      }
    }
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
    balances_[name] = *amount;
    return true;
  }

  void compare(OperationEvents op, std::int64_t sum) {
    if (total_ > 0) {
      if (sum != total_) {
        in_.tell("wrong-total", {op.invocation},
                 in_.named(op) + " returned balances that add up to " + std::to_string(sum) + " instead of " +
                     std::to_string(total_),
                 {"Transfers move money and keep the total of " + std::to_string(total_) + ".",
                  "The read by " + in_.history().client(in_.history().process(op.invocation)) + " saw " +
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
  BankMoves moves_;
  std::map<std::string, std::int64_t> balances_;  // of the read at hand
  std::set<std::string> accounts_known_;          // of the first read
  OperationEvents accounts_by_{kNoEvent, kNoEvent};
  std::optional<OperationEvents> first_;
  std::int64_t first_sum_ = 0;
};

}  // namespace

WorkloadChecker bank() {
  return {"bank",
          "transfers between accounts: the total never changes, no balance is negative",
          {"strict-serializable", "snapshot-isolation"},
          [](Judgement& in) { Bank(in).run(); },
          {{"wrong-total", "the balances of a read do not add up to the total, or to what another read saw"},
           {"negative-balance", "a read shows an account with less than nothing"},
           {"unexpected-account", "a read shows an account that does not exist"},
           {"missing-account", "an account that a read showed is missing from a later one"},
           {"unexplained-balances", "balances that no part of the transfers leads to"},
           {"incomparable-reads", "of two reads each has an element that the other one lacks"},
           {"nil-balance", "a read shows an account without a balance"}},
          {{"bank.accounts", OptionSpec::Type::integer, 0,
            "how many accounts there are, 0 … N-1; 0: eight, and a read may show others", 0, 1e6},
           {"bank.total", OptionSpec::Type::integer, 0, "what all balances add up to; 0: whatever the reads agree upon",
            0, 1e15},
           {"bank.negative-balances", OptionSpec::Type::boolean, false, "whether a balance may be negative"}}};
}

}  // namespace ordeal::work
