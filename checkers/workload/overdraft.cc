// The checker "overdraft": customers with two accounts each, and a rule that no withdrawal may break.
//
// Operations, the customer being the key: `deposit` and `withdraw` {"account" 0 or 1, "amount" n}, n > 0; a withdrawal
// that fails with an error of the kind "insufficient" was refused for want of money, every other failure says nothing.
// `read`, whose ok value is the list of both balances. All accounts are empty in the beginning. The rule
// (overdraft.rule) is `sum`: the two together are never below nothing, so that one may be overdrawn when the other one
// covers it, which is where write skew strikes; or `each`: no account is below nothing.
//
//   overdraft             acknowledged withdrawals took more than all deposits invoked until then, or a read shows it;
//                         the sentences say which withdrawals ran side by side
//   needless-refusal      refused for want of money, although whatever was under way, there was enough
//   unexplained-balances  no order of the operations within real time explains every answer (orders.h)
//
// Taking deposits when they begin and withdrawals when they end is the order in which the rule holds longest, so the
// first alone decides the rule. Levels: strict-serializable judges all of it; no-overdraft only acknowledged
// withdrawals and the balances of each read by itself, which may be late. Operations of unknown outcome may happen at
// any later time; the workload reads every customer in the end. When there are too many of them to try, `unknown`.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/orders.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

using Balances = std::pair<std::int64_t, std::int64_t>;

struct Step {
  OperationEvents op;
  enum class Kind { deposit, withdrawal, refusal, read } kind = Kind::read;
  std::size_t account = 0;
  std::int64_t amount = 0;
  Balances seen;
  [[nodiscard]] bool moves() const { return kind == Kind::deposit || kind == Kind::withdrawal; }
};

class Customer {
 public:
  Customer(Judgement& in, ValueId key) : in_(in), key_(key), each_(in.option_text("overdraft.rule") == "each") {}

  // False when the operation was refused.
  bool take(OperationEvents op) {
    Step step;
    step.op = op;
    if (in_.f(op) == "read") {
      if (!in_.ok(op)) return true;
      const auto items = in_.items(in_.seen(op));
      const auto first = items.size() == 2 ? in_.integer(items[0]) : std::nullopt;
      const auto second = items.size() == 2 ? in_.integer(items[1]) : std::nullopt;
      if (!first || !second) {
        in_.refuse(op, "the list of both balances");
        return false;
      }
      step.seen = {*first, *second};
      steps_.push_back(step);
      return true;
    }
    const auto account = in_.integer(in_.asked(op), "account"), amount = in_.integer(in_.asked(op), "amount");
    if (!account || (*account != 0 && *account != 1) || !amount || *amount <= 0 || *amount > kMaxAmount) {
      in_.refuse(op, R"({"account" 0 or 1, "amount" n})");
      return false;
    }
    step.account = static_cast<std::size_t>(*account);
    step.amount = *amount;
    step.kind = in_.f(op) == "deposit" ? Step::Kind::deposit : Step::Kind::withdrawal;
    if (in_.failed(op)) {
      const EventError* error = in_.history().error(op.completion);
      if (step.kind == Step::Kind::deposit || error == nullptr || error->kind != "insufficient") return true;
      step.kind = Step::Kind::refusal;
      ++in_.counter("refused");
    }
    if (in_.ok(op)) ++in_.counter(step.kind == Step::Kind::deposit ? "deposits" : "withdrawals");
    steps_.push_back(step);
    return true;
  }

  void judge(bool strict) {
    for (const Step& one : steps_) {
      if (one.kind == Step::Kind::read && broken(one.seen)) read_broken(one);
    }
    if (each_) {
      acknowledged(0, strict);
      acknowledged(1, strict);
    } else {
      acknowledged(std::nullopt, strict);
    }
    if (!strict) return;
    refusals();
    if (!accused_) order();
  }
  [[nodiscard]] bool tested() const {
    const auto has = [&](Step::Kind kind) {
      return std::any_of(steps_.begin(), steps_.end(),
                         [&](const Step& one) { return one.kind == kind && (!one.moves() || in_.ok(one.op)); });
    };
    return has(Step::Kind::withdrawal) && has(Step::Kind::deposit) && has(Step::Kind::read);
  }

 private:
  static constexpr std::int64_t kMaxAmount = 1'000'000'000'000;
  // From so many reads it is tried whether a proof may begin there, with so many steps each.
  static constexpr std::size_t kMostReads = 32, kStepsARead = 20'000;

  [[nodiscard]] bool broken(Balances b) const { return each_ ? b.first < 0 || b.second < 0 : b.first + b.second < 0; }
  void tell(const char* type, std::vector<EventIndex> events, std::string text, std::vector<std::string> why = {}) {
    accused_ = true;
    in_.tell(type, std::move(events), std::move(text), std::move(why), key_);
  }

  void read_broken(const Step& read) {
    tell("overdraft", {read.op.invocation},
         in_.named(read.op) + " returned the balances " + in_.shown(in_.seen(read.op)) +
             (each_ ? ", one of which is below nothing" : ", which together are below nothing"));
  }

  struct Accounts {
    bool first = true, second = true;
    [[nodiscard]] bool has(std::size_t account) const { return account == 0 ? first : second; }
  };
  // What can be said from a read on, which shows what there was when it took effect. `total` is counted from there.
  struct Since {
    const Step* read = nullptr;  // none: nothing was shown
    std::int64_t shown = 0, total = 0;
    std::vector<const Step*> counted;
  };
  // The last read, of those that were over before `end`, from which `count` comes to what `wrong` says is so.
  template <class Count, class Wrong>
  [[nodiscard]] Since since(EventIndex end, Accounts of, Count count, Wrong wrong) const {
    std::size_t tried = 0;
    for (auto read = steps_.rbegin(); read != steps_.rend() && tried < kMostReads; ++read) {
      if (read->kind != Step::Kind::read || read->op.completion >= end) continue;
      ++tried;
      in_.work(steps_.size());
      Since out;
      out.read = &*read;
      out.shown = (of.first ? read->seen.first : 0) + (of.second ? read->seen.second : 0);
      out.total = out.shown;
      for (const Step& one : steps_) {
        if (!one.moves() || !of.has(one.account) || !count(*read, one)) continue;
        out.total += one.kind == Step::Kind::deposit ? one.amount : -one.amount;
        out.counted.push_back(&one);
      }
      if (wrong(out.total)) return out;
    }
    return {};
  }
  [[nodiscard]] std::string sums_up(const Step& read) const {
    return "All that was over before " + in_.named(read.op) + " is summed up in the balances that it returned, " +
           in_.shown(in_.seen(read.op)) + ".";
  }
  [[nodiscard]] std::vector<EventIndex> named(const Since& since) const {
    std::vector<EventIndex> out = {since.read->op.invocation};
    for (const Step* one : since.counted) out.push_back(one->op.invocation);
    return out;
  }

  // Of both accounts together, or of one. Where reads are not late, from what one of them showed.
  void acknowledged(std::optional<std::size_t> account, bool strict) {
    std::vector<std::pair<EventIndex, const Step*>> events;
    for (const Step& one : steps_) {
      if (!one.moves() || (account && one.account != *account)) continue;
      if (one.kind == Step::Kind::deposit)
        events.emplace_back(one.op.invocation, &one);
      else if (in_.ok(one.op))
        events.emplace_back(one.op.completion, &one);
    }
    std::sort(events.begin(), events.end());
    std::int64_t money = 0;
    std::vector<const Step*> until;
    for (const auto& [event, step] : events) {
      until.push_back(step);
      money += step->kind == Step::Kind::deposit ? step->amount : -step->amount;
      if (money >= 0) continue;
      Since later;
      if (strict) {
        const auto count = [&, last = event](const Step& read, const Step& one) {
          return one.kind == Step::Kind::deposit
                     ? !in_.before(one.op, read.op) && one.op.invocation < last
                     : in_.before(read.op, one.op) && in_.ok(one.op) && one.op.completion <= last;
        };
        later = since(event, {account != std::optional<std::size_t>(1), account != std::optional<std::size_t>(0)},
                      count, [](std::int64_t total) { return total < 0; });
      }
      std::vector<EventIndex> all;
      for (const Step* one : until) all.push_back(one->op.invocation);
      const bool tells = std::find(later.counted.begin(), later.counted.end(), step) != later.counted.end();
      if (tells && later.counted.size() + 1 < all.size()) {
        until = later.counted;
        all = named(later);
      } else {
        later = {};
      }
      std::int64_t taken = 0;
      for (const Step* one : until) taken += one->kind == Step::Kind::withdrawal ? one->amount : 0;
      const std::int64_t paid = taken + (later.read == nullptr ? money : later.total) - later.shown;
      std::string text = "when " + in_.named(step->op) + " was acknowledged, withdrawals of " + std::to_string(taken);
      if (later.read == nullptr)
        text += " had been, and only " + std::to_string(paid) + " had been paid in";
      else
        text += " had been since " + in_.named(later.read->op) + ", which showed " + std::to_string(later.shown) +
                ", and only " + std::to_string(paid) + " had been paid in since";
      std::vector<std::string> why = side_by_side(*step, until);
      if (later.read != nullptr) why.push_back(sums_up(*later.read));
      tell("overdraft", std::move(all), text + (account ? " to account " + std::to_string(*account) : std::string()),
           std::move(why));
      return;
    }
  }

  // What may have happened: withdrawals that ran while the last one did did not see it.
  std::vector<std::string> side_by_side(const Step& last, const std::vector<const Step*>& all) const {
    std::vector<std::string> out;
    for (const Step* one : all) {
      if (one == &last || one->kind != Step::Kind::withdrawal || in_.before(one->op, last.op)) continue;
      out.push_back("The withdrawals of " + in_.event(one->op.invocation) + " and " + in_.event(last.op.invocation) +
                    " ran side by side, " +
                    (one->account == last.account ? "from one account: neither saw the other's (a lost update)."
                                                  : "from one account each: each was covered by what the other one "
                                                    "took (write skew)."));
    }
    if (out.empty())
      out.push_back("No other withdrawal ran beside it: it was granted by balances that were not up to date.");
    if (out.size() > 3) out.resize(3);
    return out;
  }

  void refusals() {
    for (const Step& refusal : steps_) {
      if (refusal.kind != Step::Kind::refusal) continue;
      std::int64_t least = 0;
      std::vector<EventIndex> named = {refusal.op.invocation};
      std::vector<std::string> why;
      in_.work(steps_.size());
      for (const Step& one : steps_) {
        if (!one.moves() || (each_ && one.account != refusal.account)) continue;
        const bool deposit = one.kind == Step::Kind::deposit;
        if (deposit ? !in_.before(one.op, refusal.op) : one.op.invocation > refusal.op.completion) continue;
        least += deposit ? one.amount : -one.amount;
        named.push_back(one.op.invocation);
      }
      if (least < refusal.amount) continue;
      const auto count = [&](const Step& read, const Step& one) {
        return one.kind == Step::Kind::deposit
                   ? in_.before(read.op, one.op) && in_.before(one.op, refusal.op)
                   : !in_.before(one.op, read.op) && one.op.invocation <= refusal.op.completion;
      };
      const Accounts of = {!each_ || refusal.account == 0, !each_ || refusal.account == 1};
      const Since later =
          since(refusal.op.invocation, of, count, [&](std::int64_t total) { return total >= refusal.amount; });
      if (later.read != nullptr && later.counted.size() + 2 < named.size()) {
        named = this->named(later);
        named.push_back(refusal.op.invocation);
        least = later.total;
        why.push_back(sums_up(*later.read));
      }
      tell("needless-refusal", std::move(named),
           in_.named(refusal.op) + " was refused " + std::to_string(refusal.amount) +
               ", although there were at least " + std::to_string(least) + " all the while",
           std::move(why));
    }
  }

  [[nodiscard]] Orders<Balances> orders() const {
    Orders<Balances> out;
    for (const Step& one : steps_) add(one, end_of(one), out);
    return out;
  }
  [[nodiscard]] EventIndex end_of(const Step& one) const {
    return in_.ok(one.op) || in_.failed(one.op) ? one.op.completion : kNoEvent;
  }
  void add(const Step& one, EventIndex end, Orders<Balances>& to) const {
    to.add(one.op.invocation, end, [this, &one](const Balances& now, const auto& next) {
      if (one.kind == Step::Kind::read) {
        if (now == one.seen) next(now);
        return;
      }
      Balances after = now;
      (one.account == 0 ? after.first : after.second) += one.kind == Step::Kind::deposit ? one.amount : -one.amount;
      const bool covered = one.kind == Step::Kind::deposit || !broken(after);
      if (one.kind == Step::Kind::refusal ? !covered : covered) next(one.kind == Step::Kind::refusal ? now : after);
    });
  }

  // A read says what the balances were when it took effect, so that all that was over before it does not matter. What
  // overlaps it may have come before it, and otherwise comes after it, however much later. The operations from the last
  // read of which there is no order from what it said; empty: that is true of none of those tried.
  [[nodiscard]] std::vector<EventIndex> since_a_read(std::size_t unexplained, std::vector<std::string>& why) const {
    const EventIndex end = steps_[unexplained].op.completion;
    std::size_t tried = 0;
    for (std::size_t r = steps_.size(); r-- > 0 && tried < kMostReads;) {
      const Step& read = steps_[r];
      if (read.kind != Step::Kind::read || read.op.completion >= end) continue;
      ++tried;
      std::vector<std::size_t> numbers;  // in steps_, by number in the orders
      Orders<Balances> rest;
      rest.limit(kStepsARead);
      for (std::size_t i = 0; i < steps_.size(); ++i) {
        const Step& one = steps_[i];
        if (i == r || one.op.invocation > end || (end_of(one) != kNoEvent && end_of(one) < read.op.invocation))
          continue;
        const bool overlaps = one.op.invocation < read.op.completion;
        if (overlaps && !one.moves()) continue;
        numbers.push_back(i);
        add(one, overlaps ? kNoEvent : end_of(one), rest);
      }
      const OrdersVerdict found = rest.judge(read.seen, in_, {}, end);
      if (found.gave_up || found.explained) continue;
      std::vector<EventIndex> out = {read.op.invocation};
      const auto looks = [&](std::size_t k) { return !steps_[numbers[k]].moves(); };
      for (const std::size_t k : rest.proof(read.seen, in_, found, looks))
        out.push_back(steps_[numbers[k]].op.invocation);
      std::sort(out.begin(), out.end());
      why.push_back(sums_up(read));
      return out;
    }
    return {};
  }

  void order() {
    const Orders<Balances> all = orders();
    const OrdersVerdict verdict = all.judge({0, 0}, in_);
    if (verdict.gave_up) {
      return in_.inconclusive("too many operations of customer " + in_.shown(key_) +
                              " were under way or of unknown outcome to try their orders");
    }
    if (verdict.explained) return;
    std::vector<std::string> why;
    std::vector<EventIndex> named = since_a_read(verdict.unexplained, why);
    if (named.empty()) {
      for (const std::size_t i : all.proof({0, 0}, in_, verdict, [this](std::size_t k) { return !steps_[k].moves(); }))
        named.push_back(steps_[i].op.invocation);
    }
    const Step& last = steps_[verdict.unexplained];
    tell("unexplained-balances", std::move(named),
         in_.named(last.op) + (last.kind == Step::Kind::read ? " returned " + in_.shown(in_.seen(last.op)) : "") +
             ", and no order of the operations until then explains all that was answered",
         std::move(why));
  }

  Judgement& in_;
  ValueId key_;
  const bool each_;
  bool accused_ = false;
  std::vector<Step> steps_;  // by invocation
};

void judge_overdraft(Judgement& in) {
  if (!in.understands({"deposit", "withdraw", "read"})) return;
  const bool strict = in.level("strict-serializable") == "strict-serializable";
  std::map<ValueId, Customer> customers;
  for (const OperationEvents op : in.operations()) {
    if (!customers.try_emplace(in.key(op), in, in.key(op)).first->second.take(op)) return;
  }
  bool tested = false;
  for (auto& [key, customer] : customers) {
    customer.judge(strict);
    tested = tested || customer.tested();
  }
  in.keys(customers.size());
  if (!tested)
    in.inconclusive("of no customer a deposit and a withdrawal succeeded and the balances were read");
  else if (in.counter("refused") == 0)
    in.inconclusive("no withdrawal was refused for want of money, so the rule was not put to the test");
}

}  // namespace

WorkloadChecker overdraft() {
  return {"overdraft",
          "deposits and withdrawals on two accounts of a customer: no withdrawal breaks the rule over them",
          {"strict-serializable", "no-overdraft"},
          judge_overdraft,
          {{"overdraft", "more was withdrawn than there was"},
           {"needless-refusal", "what was asked for was refused although nothing stood against it"},
           {"unexplained-balances", "balances that no part of the transfers leads to"}},
          {{"overdraft.rule",
            OptionSpec::Type::string,
            "sum",
            "what no withdrawal may break: sum, both accounts together are not below nothing; each, neither of them is",
            std::nullopt,
            std::nullopt,
            {"sum", "each"}}}};
}

}  // namespace ordeal::work
