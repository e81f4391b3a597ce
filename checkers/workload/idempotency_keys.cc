// The checker "idempotency-keys": keys that clients choose, with a body each, and a time to live, as payment APIs have.
//
// Operations: `apply` {"id" k, "body" b}; its ok value, if it is not what was asked, is the answer; fail with an error
// of the kind "conflict" when the key is taken by another body, while every other failure says that nothing happened.
// `read`, whose ok value is the list of [k b] of all executions, in any order. Keys of operations, if any, are ledgers
// of their own. A key is taken from the execution of an operation on, for at least idempotency-keys.ttl (0: for ever):
// the same body again gets the same answer and is not executed, another body is refused. After that time it may be
// executed anew, with any body, and before that nothing of the kind. A system may keep keys for longer.
//
// Each key is judged by itself, exactly: is there an order of what was asked and read of it, within real time, and of
// executions at least the time to live apart by the recorder's clock (orders.h)? What is unexplained is named:
//
//   applied-twice        a read shows a key with the same body more often than it can have been executed
//   key-reused           two bodies were executed, or acknowledged, under one key, too soon one after the other
//   different-answers    the same body was answered differently
//   lost-element         acknowledged, or seen, before a read that does not show it
//   unexpected-element   a read shows a key and body that nobody sent, or only attempts that certainly failed
//   needless-refusal     refused for another body that nobody can have sent before
//   unexplained-key      anything else that no order explains
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/orders.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

using Bodies = std::vector<ValueId>;  // sorted; each as often as it was executed

struct Step {
  OperationEvents op;
  enum class Kind { apply, refusal, read } kind = Kind::apply;
  ValueId body = kNil;
  ValueId answer = kAbsent;  // kAbsent: none, or not known
  Bodies shown;              // of a read
};

// What a key has been through.
struct Life {
  Bodies executed;
  bool taken = false;
  ValueId body = kNil, answer = kAbsent;  // of the last execution
  std::int64_t since = 0;                 // when that was, at the earliest
  std::int64_t now = 0;                   // when the last operation took effect, at the earliest
  friend auto operator<=>(const Life&, const Life&) = default;
};

// Times of events that never step back: no event may have come before `earliest`, none after `latest`.
class Clock {
 public:
  Clock(const History& h, bool needed) : earliest_(h.size()), latest_(h.size()) {
    if (!needed) return;
    std::int64_t last = 0;
    for (EventIndex e = 0; e < h.size(); ++e) latest_[e] = last = std::max(last, h.time(e));
    for (auto e = static_cast<EventIndex>(h.size()); e-- > 0;) earliest_[e] = last = std::min(last, h.time(e));
  }
  [[nodiscard]] std::int64_t earliest(EventIndex e) const { return earliest_[e]; }
  [[nodiscard]] std::int64_t latest(EventIndex e) const {
    return e == kNoEvent ? std::numeric_limits<std::int64_t>::max() : latest_[e];
  }

 private:
  std::vector<std::int64_t> earliest_, latest_;
};

class Key {
 public:
  Key(Judgement& in, ValueId id, ValueId ledger, const Clock& clock)
      : in_(in), id_(id), ledger_(ledger), clock_(clock), ttl_(in.option_ns("idempotency-keys.ttl")) {}

  void attempt(OperationEvents op, ValueId body) {
    Step step{op, Step::Kind::apply, body, kAbsent, {}};
    const bool known = in_.seen(op) != kAbsent && in_.seen(op) != in_.asked(op);
    if (known) step.answer = in_.seen(op);
    if (in_.failed(op)) {
      failed_.insert(body);
      const EventError* error = in_.history().error(op.completion);
      if (error == nullptr || error->kind != "conflict") return;
      step.kind = Step::Kind::refusal;
    }
    const auto same = std::any_of(steps_.begin(), steps_.end(), [&](const Step& one) { return one.body == body; });
    in_.counter(same ? "repeated" : steps_.empty() ? "first" : "other-bodies") += 1;
    in_.counter("refused") += step.kind == Step::Kind::refusal ? 1 : 0;
    last_settled_.reset();
    over_ = std::max(over_, in_.ok(op) || in_.failed(op) ? op.completion : kNoEvent);
    steps_.push_back(std::move(step));
  }

  // `shown`: the bodies under this key in the read.
  void read(OperationEvents op, Bodies shown) {
    const bool before = steps_.empty() || op.completion < steps_.front().op.invocation;
    if (before && shown.empty()) return;
    std::sort(shown.begin(), shown.end());
    // After all attempts are over, one read that shows the same is as good as many.
    const bool settled = over_ < op.invocation;
    if (settled && last_settled_ && *last_settled_ == shown) return;
    if (settled) last_settled_ = shown;
    steps_.push_back({op, Step::Kind::read, kNil, kAbsent, std::move(shown)});
  }

  void judge() {
    Orders<Life> orders;
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const Step& a, const Step& b) { return a.op.invocation < b.op.invocation; });
    for (const Step& one : steps_) {
      const bool certain = in_.ok(one.op) || in_.failed(one.op);
      orders.add(one.op.invocation, certain ? one.op.completion : kNoEvent,
                 [this, &one](const Life& life, const auto& next) { take(one, life, next); });
    }
    const OrdersVerdict verdict = orders.judge({}, in_);
    if (verdict.gave_up) {
      return in_.inconclusive("too many operations with the key " + in_.shown(id_) +
                              " were under way or of unknown outcome to try their orders");
    }
    if (verdict.explained) return;
    std::vector<EventIndex> named;
    const auto observes = [this](std::size_t i) { return steps_[i].kind != Step::Kind::apply; };
    for (const std::size_t i : orders.proof({}, in_, verdict, observes)) named.push_back(steps_[i].op.invocation);
    tell(steps_[verdict.unexplained], std::move(named));
  }

 private:
  void take(const Step& one, const Life& life, const Orders<Life>::Next& next) const {
    const std::int64_t end = clock_.latest(in_.ok(one.op) || in_.failed(one.op) ? one.op.completion : kNoEvent);
    Life after = life;
    after.now = std::max(life.now, clock_.earliest(one.op.invocation));
    if (after.now > end) return;
    if (one.kind == Step::Kind::read) {
      if (life.executed == one.shown) next(std::move(after));
      return;
    }
    if (one.kind == Step::Kind::refusal) {
      if (life.taken && life.body != one.body) next(std::move(after));
      return;
    }
    const bool same_answer = life.answer == kAbsent || one.answer == kAbsent || life.answer == one.answer;
    if (life.taken && life.body == one.body && same_answer) {
      Life again = after;
      if (again.answer == kAbsent) again.answer = one.answer;
      next(std::move(again));
    }
    if (life.taken) {
      if (ttl_ == 0) return;
      after.now = std::max(after.now, life.since + ttl_);
      if (after.now > end) return;
    }
    after.taken = true;
    after.body = one.body;
    after.answer = one.answer;
    after.since = after.now;
    after.executed.insert(std::upper_bound(after.executed.begin(), after.executed.end(), one.body), one.body);
    next(std::move(after));
  }

  void tell(const Step& last, std::vector<EventIndex> named) {
    const std::string key = "key " + in_.shown(id_);
    const auto say = [&](const char* type, const std::string& text) {
      in_.tell(type, std::move(named), text, {}, ledger_);
    };
    const auto before = [&](const auto& f) {
      return std::find_if(steps_.begin(), steps_.end(), [&](const Step& one) {
        return one.kind == Step::Kind::apply && one.op.invocation < last.op.completion && f(one);
      });
    };
    if (last.kind == Step::Kind::refusal) {
      if (before([&](const Step& one) { return one.body != last.body; }) == steps_.end()) {
        return say("needless-refusal",
                   in_.named(last.op) + " was refused for another body under " + key + ", which nobody had sent");
      }
    } else if (last.kind == Step::Kind::read) {
      if (tell_read(last, say)) return;
    } else {
      const auto other = before([&](const Step& one) { return in_.ok(one.op) && one.body != last.body; });
      if (other != steps_.end()) {
        return say("key-reused", in_.named(last.op) + " was acknowledged under " + key + ", although that of " +
                                     in_.event(other->op.invocation) + " was, with another body" + too_soon());
      }
      const auto differs = before([&](const Step& one) {
        return in_.ok(one.op) && one.body == last.body && one.answer != kAbsent && one.answer != last.answer;
      });
      if (differs != steps_.end() && last.answer != kAbsent) {
        return say("different-answers", "the operation with " + key + " was answered " + in_.shown(differs->answer) +
                                            " and " + in_.shown(last.answer) + too_soon());
      }
    }
    say("unexplained-key", "no order of the operations with " + key + " explains what " + in_.named(last.op) +
                               " was answered" + too_soon());
  }

  [[nodiscard]] std::string too_soon() const {
    return ttl_ == 0 ? "" : ", too soon for its time to live of " + std::to_string(ttl_ / 1'000'000) + " ms";
  }

  template <class Say>
  bool tell_read(const Step& read, const Say& say) {
    for (const ValueId body : read.shown) {
      const bool sent = std::any_of(steps_.begin(), steps_.end(), [&](const Step& one) {
        return one.kind == Step::Kind::apply && one.body == body && one.op.invocation < read.op.completion;
      });
      if (sent) continue;
      say("unexpected-element", in_.named(read.op) + " shows an execution of key " + in_.shown(id_) + " with body " +
                                    in_.shown(body) + ", which " +
                                    (failed_.contains(body) ? "certainly failed" : "nobody had sent"));
      return true;
    }
    if (read.shown.size() > 1) {
      const bool same = read.shown.front() == read.shown.back();
      say(same ? "applied-twice" : "key-reused",
          in_.named(read.op) + " shows that the operation with key " + in_.shown(id_) + " was executed " +
              std::to_string(read.shown.size()) + " times" + (same ? "" : ", with different bodies") + too_soon());
      return true;
    }
    if (!read.shown.empty()) return false;
    say("lost-element", in_.named(read.op) + " does not show the operation with key " + in_.shown(id_) +
                            ", although it was acknowledged or seen before");
    return true;
  }

  Judgement& in_;
  ValueId id_, ledger_;
  const Clock& clock_;
  const std::int64_t ttl_;
  std::vector<Step> steps_;  // by invocation
  std::set<ValueId> failed_;
  EventIndex over_ = 0;  // when all attempts so far have ended for certain
  std::optional<Bodies> last_settled_;
};

class Ledger {
 public:
  Ledger(Judgement& in, ValueId ledger, const Clock& clock) : in_(in), ledger_(ledger), clock_(clock) {}

  // False when the operation was refused.
  bool attempt(OperationEvents op) {
    const ValueId asked = in_.asked(op);
    const ValueId id = in_.is_map(asked) ? in_.values().member(asked, "id") : kAbsent;
    const ValueId body = in_.is_map(asked) ? in_.values().member(asked, "body") : kAbsent;
    if (id == kAbsent || body == kAbsent) {
      in_.refuse(op, R"({"id" k, "body" b})");
      return false;
    }
    keys_.try_emplace(id, in_, id, ledger_, clock_).first->second.attempt(op, body);
    return true;
  }
  bool read(OperationEvents op) {
    if (!in_.takes_elements(op)) return false;
    std::map<ValueId, Bodies> shown;
    for (const ValueId entry : in_.items(in_.seen(op))) {
      const auto parts = in_.items(entry);
      if (parts.size() != 2) {
        in_.refuse(op, "a list of [key body]");
        return false;
      }
      shown[parts[0]].push_back(parts[1]);
    }
    ++in_.counter("reads");
    in_.counter("observed") += shown.empty() ? 0 : 1;
    // Every key has its say, those that nobody has sent so far as well.
    for (const auto& [id, bodies] : shown) keys_.try_emplace(id, in_, id, ledger_, clock_);
    in_.work(keys_.size());
    for (auto& [id, key] : keys_) {
      const auto found = shown.find(id);
      key.read(op, found == shown.end() ? Bodies() : std::move(found->second));
    }
    return true;
  }
  void judge() {
    for (auto& [id, key] : keys_) key.judge();
  }

 private:
  Judgement& in_;
  ValueId ledger_;
  const Clock& clock_;
  std::map<ValueId, Key> keys_;
};

void judge_keys(Judgement& in) {
  if (!in.understands({"apply", "read"})) return;
  const bool timed = in.option_ns("idempotency-keys.ttl") > 0;
  const Clock clock(in.history(), timed);
  std::map<ValueId, Ledger> ledgers;
  for (const OperationEvents op : in.operations()) {
    const bool untimed =
        in.history().time(op.invocation) < 0 || (op.completion != kNoEvent && in.history().time(op.completion) < 0);
    if (timed && untimed) {
      return in.refuse("the history has no times (" + in.event(op.invocation) + "), which a time to live needs");
    }
    Ledger& ledger = ledgers.try_emplace(in.key(op), in, in.key(op), clock).first->second;
    const bool understood = in.f(op) == "apply" ? ledger.attempt(op) : !in.ok(op) || ledger.read(op);
    if (!understood) return;
  }
  for (auto& [key, ledger] : ledgers) ledger.judge();
  in.keys(ledgers.size());
  if (in.counter("observed") == 0)
    in.inconclusive("no read showed an execution, so nothing is known of what was applied");
  else if (in.counter("repeated") == 0)
    in.inconclusive("no operation was sent twice, so nothing was put to the test");
  else if (in.counter("other-bodies") == 0)
    in.inconclusive("no other body was sent under a key, so it is not known whether it is refused");
}

}  // namespace

WorkloadChecker idempotency_keys() {
  return {"idempotency-keys",
          "operations with a key and a body: executed once, another body refused, until the key expires",
          {"exactly-once"},
          judge_keys,
          {{"applied-twice", "an operation with an idempotency key took effect twice"},
           {"key-reused", "an idempotency key was taken for another body before it had expired"},
           {"different-answers", "two answers to one idempotency key differ"},
           {"lost-element", "an acknowledged element is missing from every later read"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"},
           {"needless-refusal", "what was asked for was refused although nothing stood against it"},
           {"unexplained-key", "no order of the operations with an idempotency key explains their answers"}},
          {{"idempotency-keys.ttl", OptionSpec::Type::duration, 0.0, "how long a key is kept at least; 0: for ever", 0,
            1e7}}};
}

}  // namespace ordeal::work
