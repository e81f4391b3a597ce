#include "support/promise_oracle.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "support/promise_transparency.h"
#include "support/some_order.h"

namespace ordeal::testing_support {

std::vector<Call> calls_of(const History& history) {
  std::vector<Call> out;
  const ValueTable& values = history.values();
  for (const OperationEvents op : history.operations()) {
    Call call;
    call.f = history.f_name(op.invocation);
    call.key = values.to_value(history.key(op.invocation));
    call.asked = values.to_value(history.value(op.invocation));
    call.process = history.process(op.invocation);
    call.outcome = history.outcome(op);
    call.from = op.invocation;
    call.from_ns = history.time(op.invocation);
    if (op.completion != kNoEvent) {
      call.told = op.completion;
      call.told_ns = history.time(op.completion);
    }
    if (op.completion != kNoEvent && call.outcome != EventType::info) {
      call.until = op.completion;
      call.until_ns = history.time(op.completion);
    }
    if (call.outcome == EventType::fail && history.error(op.completion) != nullptr)
      call.error = history.error(op.completion)->kind;
    if (call.ok()) call.seen = values.to_value(history.value(op.completion));
    out.push_back(std::move(call));
  }
  return out;
}

std::map<Value, std::vector<Call>> by_key(const std::vector<Call>& calls) {
  std::map<Value, std::vector<Call>> out;
  for (const Call& call : calls) out[call.key].push_back(call);
  return out;
}

namespace {

// The states in which a call may leave the object, given what the client saw; none: it is not possible in that state.
using Step = std::function<std::vector<Value>(const Value& state, const Call& call)>;
bool explained(const std::vector<Call>& calls, const Value& initial, const Step& step,
               Within within = Within::real_time) {
  const auto each = [&](const Value& state, const Call& call, const auto& next) {
    for (const Value& one : step(state, call)) next(one);
  };
  return some_order(calls, initial, each, within);
}

Value::List sorted(Value::List list) {
  std::sort(list.begin(), list.end());
  return list;
}
Value::List with(const Value& list, const Value& item) {
  Value::List out = list.items();
  out.push_back(item);
  return out;
}
Value::List without(const Value& list, std::size_t at) {
  Value::List out = list.items();
  out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
  return out;
}
bool unless_seen(const Call& call, const Value& result) { return !call.ok() || call.seen == result; }

std::vector<Value> register_step(const Value& state, const Call& call) {
  if (call.f == "read") return unless_seen(call, state) ? std::vector{state} : std::vector<Value>{};
  if (call.f == "write") return {call.asked};
  if (state == call.asked.items()[0]) return {call.asked.items()[1]};
  return {};
}
std::vector<Value> set_step(const Value& state, const Call& call) {
  if (call.f != "read") {
    const auto& items = state.items();
    if (std::find(items.begin(), items.end(), call.asked) != items.end()) return {state};
    return {Value(sorted(with(state, call.asked)))};
  }
  if (call.ok() && (!call.seen.is_list() || Value(sorted(call.seen.items())) != state)) return {};
  return {state};
}
std::vector<Value> counter_step(const Value& state, const Call& call) {
  if (call.f == "read") return unless_seen(call, state) ? std::vector{state} : std::vector<Value>{};
  return {Value(state.integer() + call.asked.integer())};
}

// A queue's state is [what is in it, what a take of unknown outcome has in its hands].
std::vector<Value> queue_step(const Value& state, const Call& call,
                              const std::function<bool(const Value&, std::size_t)>& may_go) {
  const Value in = state.items()[0], held = state.items()[1];
  if (call.f == "enqueue") return {Value::list({Value(with(in, call.asked)), held})};
  if (call.f == "put-back") {
    std::vector<Value> out;
    for (std::size_t i = 0; i < held.items().size(); ++i)
      out.push_back(Value::list({Value(with(in, held.items()[i])), Value(without(held, i))}));
    return out;
  }
  if (in.items().empty()) return call.ok() && !call.seen.is_nil() ? std::vector<Value>{} : std::vector{state};
  std::vector<Value> out;
  for (std::size_t i = 0; i < in.items().size(); ++i) {
    if (!may_go(in, i) || !unless_seen(call, in.items()[i])) continue;
    out.push_back(Value::list({Value(without(in, i)), call.ok() ? held : Value(with(held, in.items()[i]))}));
  }
  return out;
}
// A drain takes messages one by one until it finds nothing; one of unknown outcome any number of them. A take of
// unknown outcome may give back what it has (`redelivered`).
std::vector<Call> single_takes(const std::vector<Call>& calls, bool redelivered) {
  std::vector<Call> out;
  const auto puts = static_cast<std::size_t>(
      std::count_if(calls.begin(), calls.end(), [](const Call& call) { return call.f == "enqueue"; }));
  for (const Call& call : calls) {
    if (call.outcome == EventType::fail) continue;
    if (call.f == "enqueue") {
      out.push_back(call);
      continue;
    }
    Call one = call;
    one.f = "dequeue";
    if (call.f == "drain" && call.ok()) {
      Value::List takes = call.seen.is_list() ? call.seen.items() : Value::List{};
      takes.emplace_back();  // and then nothing
      for (Value& take : takes) {
        one.seen = std::move(take);
        out.push_back(one);
        one.after = out.size() - 1;
      }
      continue;
    }
    for (std::size_t i = 0; i < (call.f == "drain" ? puts : 1); ++i) {
      one.after.reset();
      out.push_back(one);
      if (call.ok() || !redelivered) continue;
      Call back = one;
      back.f = "put-back";
      back.after = out.size() - 1;
      out.push_back(back);
    }
  }
  return out;
}
bool queue_explained(const std::vector<Call>& calls, bool redelivered,
                     const std::function<bool(const Value&, std::size_t)>& may_go) {
  return explained(single_takes(calls, redelivered), Value::list({Value::list(), Value::list()}),
                   [&](const Value& state, const Call& call) { return queue_step(state, call, may_go); });
}

std::vector<Value> bank_step(const Value& state, const Call& call) {
  if (call.f == "read") {
    if (!call.ok()) return {state};
    if (!call.seen.is_map() || call.seen.entries().size() != state.entries().size()) return {};
    for (const auto& [account, balance] : state.entries()) {
      const Value* found = call.seen.find(account);
      if (found == nullptr || *found != balance) return {};
    }
    return {state};
  }
  Value next = state;
  const Value from = *call.asked.find("from"), to = *call.asked.find("to");
  const std::int64_t amount = call.asked.find("amount")->integer();
  if (next.find(from) == nullptr || next.find(to) == nullptr || next.find(from)->integer() < amount) return {};
  next.set(from, next.find(from)->integer() - amount);
  next.set(to, next.find(to)->integer() + amount);
  return {next};
}

std::vector<Value> transaction_step(const Value& state, const Call& call) {
  Value next = state;
  const Value& micros = call.ok() ? call.seen : call.asked;
  if (!micros.is_list()) return {};
  for (const Value& micro : micros.items()) {
    const std::string& f = micro.items()[0].string();
    const Value& key = micro.items()[1];
    const Value& value = micro.items()[2];
    const Value* found = next.find(key);
    const Value now = found == nullptr ? Value() : *found;
    if (f == "w") {
      next.set(key, value);
    } else if (f == "append") {
      next.set(key, Value(with(now.is_nil() ? Value::list() : now, value)));
    } else if (call.ok() && value != now && !(now.is_nil() && value == Value::list())) {
      return {};
    }
  }
  return {next};
}

// Rows in the order of their insertion. Which row an insert of unknown outcome made, reads may show.
bool keeps_monotonic(const std::vector<Call>& calls) {
  std::set<Value> told, shown;
  for (const Call& call : calls) {
    if (!call.ok()) continue;
    if (call.f != "read") {
      told.insert(call.seen);
      continue;
    }
    if (!call.seen.is_list()) return false;
    shown.insert(call.seen.items().begin(), call.seen.items().end());
  }
  const auto appended = [](const Value& state, const Value& row) -> std::vector<Value> {
    if (!row.is_map() || row.find("val") == nullptr || row.find("sts") == nullptr) return {};
    if (!state.items().empty()) {
      const Value& last = state.items().back();
      if (!(*last.find("val") < *row.find("val")) || !(*last.find("sts") < *row.find("sts"))) return {};
    }
    return {Value(with(state, row))};
  };
  return explained(calls, Value::list(), [&](const Value& state, const Call& call) -> std::vector<Value> {
    if (call.f == "read") return unless_seen(call, state) ? std::vector{state} : std::vector<Value>{};
    if (call.ok()) return appended(state, call.seen);
    std::vector<Value> out;
    for (const Value& row : shown) {
      if (told.contains(row)) continue;
      for (Value& next : appended(state, row)) out.push_back(std::move(next));
    }
    return out;
  });
}

// Each subkey is written and read by a transaction of its own, one after the other.
bool keeps_sequential(const std::vector<Call>& calls) {
  constexpr std::size_t kSubkeys = 5;
  std::vector<Call> single;
  for (const Call& call : calls) {
    if (call.f == "read-chain" && !call.ok()) continue;
    if (call.ok() && call.f == "read-chain" &&
        (!call.seen.is_list() || call.seen.items().size() != 2 || !call.seen.items()[1].is_list() ||
         call.seen.items()[1].items().size() != kSubkeys))
      return false;
    for (std::size_t i = 0; i < kSubkeys; ++i) {
      Call one = call;
      const bool reads = call.f == "read-chain";
      const Value& chain = reads ? call.seen.items()[0] : call.asked;
      one.asked = Value(chain.to_json() + "_" + std::to_string(reads ? kSubkeys - 1 - i : i));
      if (reads) one.seen = call.seen.items()[1].items()[i];
      one.f = reads ? "read" : "write";
      if (i > 0) one.after = single.size() - 1;
      one.from = call.from * 100 + static_cast<std::int64_t>(i);
      single.push_back(one);
    }
  }
  // Nobody reads what is not yet being written, whatever the order.
  for (const Call& read : calls) {
    if (read.f != "read-chain" || !read.ok()) continue;
    for (const Call& write : calls) {
      if (write.f != "write-chain" || write.asked != read.seen.items()[0] || write.from < read.until) continue;
      for (const Value& subkey : read.seen.items()[1].items()) {
        if (!subkey.is_nil()) return false;
      }
    }
  }
  return explained(
      single, Value::list(),
      [](const Value& state, const Call& call) -> std::vector<Value> {
        const auto& items = state.items();
        const bool there = std::find(items.begin(), items.end(), call.asked) != items.end();
        if (call.f == "write") return {there ? state : Value(sorted(with(state, call.asked)))};
        return call.seen == (there ? call.asked : Value()) ? std::vector{state} : std::vector<Value>{};
      },
      Within::process);
}

// One order of all writes of which each read sees a prefix, however late; nobody reads what is not yet being written.
bool keeps_long_fork(const std::vector<Call>& calls) {
  for (const Call& read : calls) {
    if (!read.ok() || !read.seen.is_list()) continue;
    for (const Value& micro : read.seen.items()) {
      if (micro.items()[0].string() != "r" || micro.items()[2].is_nil()) continue;
      const bool begun = std::any_of(calls.begin(), calls.end(), [&](const Call& write) {
        return write.from < read.until && write.outcome != EventType::fail && write.asked.is_list() &&
               std::any_of(write.asked.items().begin(), write.asked.items().end(), [&](const Value& other) {
                 return other.items()[0].string() == "w" && other.items()[1] == micro.items()[1] &&
                        other.items()[2] == micro.items()[2];
               });
      });
      if (!begun) return false;
    }
  }
  return explained(calls, Value::map(), transaction_step, Within::nothing);
}

using Rule = std::function<std::optional<bool>(const std::vector<Call>&)>;

Rule object(Value initial, std::vector<Value> (*step)(const Value&, const Call&)) {
  return [=](const std::vector<Call>& calls) {
    const auto objects = by_key(calls);
    return std::all_of(objects.begin(), objects.end(),
                       [&](const auto& one) { return explained(one.second, initial, step); });
  };
}

// The balances before the first transfer are not told: any that some read leads back to.
bool keeps_bank(const std::vector<Call>& calls) {
  const auto read = std::find_if(calls.begin(), calls.end(), [](const Call& c) { return c.f == "read" && c.ok(); });
  if (read == calls.end()) return true;
  if (!read->seen.is_map()) return false;
  std::vector<const Call*> moves;
  for (const Call& call : calls) {
    if (call.f == "transfer" && call.outcome != EventType::fail) moves.push_back(&call);
  }
  for (std::uint64_t some = 0; some < (std::uint64_t{1} << moves.size()); ++some) {
    Value initial = read->seen;
    bool known = true;
    const auto give = [&](const Value& account, std::int64_t amount) {
      const Value* found = initial.find(account);
      known = known && found != nullptr && found->is_integer();
      if (known) initial.set(account, found->integer() + amount);
    };
    for (std::size_t i = 0; i < moves.size(); ++i) {
      if ((some >> i & 1) == 0) continue;
      give(*moves[i]->asked.find("from"), moves[i]->asked.find("amount")->integer());
      give(*moves[i]->asked.find("to"), -moves[i]->asked.find("amount")->integer());
    }
    for (const auto& [account, balance] : initial.entries())
      known = known && balance.is_integer() && balance.integer() >= 0;
    if (known && explained(calls, initial, bank_step)) return true;
  }
  return false;
}

// The default of g-set.settle, pn-counter.settle and the like.
constexpr std::int64_t kSecond_ns = 1'000'000'000, kSettle_ns = 2 * kSecond_ns;
// 10 tokens, and one more every 10 ms, to a thousandth.
constexpr Bucket kBucket{10, 9'990'009, 10'010'000, kSettle_ns};

const std::map<std::string, Rule>& rules() {
  static const auto first = [](const Value&, std::size_t i) { return i == 0; };
  static const auto any = [](const Value&, std::size_t) { return true; };
  // The first of its key, which is the first part of a message.
  static const auto first_of_key = [](const Value& in, std::size_t i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (in.items()[j].items()[0] == in.items()[i].items()[0]) return false;
    }
    return true;
  };
  static const auto transactions = [](Within within) {
    return [=](const std::vector<Call>& calls) { return explained(calls, Value::map(), transaction_step, within); };
  };
  static const std::map<std::string, Rule> all = {
      {"register", object(Value(), register_step)},
      {"set", object(Value::list(), set_step)},
      {"set-full", object(Value::list(), set_step)},
      {"causal-reverse", object(Value::list(), set_step)},
      {"comments", object(Value::list(), set_step)},
      {"counter", object(Value(0), counter_step)},
      {"bank", keeps_bank},
      {"queue", [](const auto& calls) { return queue_explained(calls, false, first); }},
      {"total-queue", [](const auto& calls) { return queue_explained(calls, true, any); }},
      {"delivery", [](const auto& calls) { return queue_explained(calls, true, first_of_key); }},
      {"list-append", transactions(Within::real_time)},
      {"rw-register", transactions(Within::real_time)},
      {"write-skew", transactions(Within::nothing)},
      {"long-fork", keeps_long_fork},
      {"monotonic", keeps_monotonic},
      {"sequential", keeps_sequential},
      {"g2", keeps_g2},
      {"unique-ids", keeps_unique_ids},
      {"lock", keeps_lock},
      {"leader-election", keeps_election},
      {"g-set", [](const auto& calls) { return keeps_convergence(calls, false, kSettle_ns); }},
      {"pn-counter", [](const auto& calls) { return keeps_convergence(calls, true, kSettle_ns); }},
      {"idempotency", keeps_idempotency},
      {"rate-limit", [](const auto& calls) { return keeps_rate_limit(calls, 10, 100'000'000); }},
      {"saga", keeps_saga},
      {"cas-by-version", keeps_cas_by_version},
      {"overdraft", keeps_overdraft},
      {"ledger",
       [](const auto& calls) {
         return keeps_ledger(calls, {0, kSettle_ns});
       }},
      {"idempotency-keys", [](const auto& calls) { return keeps_idempotency_keys(calls); }},
      {"concurrency-limit", [](const auto& calls) { return keeps_concurrency_limit(calls, 3, kSettle_ns); }},
      {"token-bucket", [](const auto& calls) { return keeps_token_bucket(calls, kBucket); }},
      {"or-set", [](const auto& calls) { return keeps_or_set(calls, kSettle_ns); }},
      {"lww-map", [](const auto& calls) { return keeps_lww_map(calls, kSettle_ns); }},
      {"read-model", [](const auto& calls) { return keeps_read_model(calls, kSecond_ns); }},
      {"kafka", [](const auto& calls) { return keeps_kafka(calls, 10); }},
      {"log", keeps_transparency_log},
      {"ordered-ids", [](const auto& calls) { return keeps_ordered_ids(calls, kSecond_ns); }},
      {"durability", [](const auto& calls) { return keeps_durability(calls, kSettle_ns); }},
      {"outbox", [](const auto& calls) { return keeps_outbox(calls, kSettle_ns); }},
      {"dead-letter",
       [](const auto& calls) {
         return keeps_dead_letter(calls, {3, kSettle_ns});
       }},
  };
  return all;
}

}  // namespace

std::optional<bool> keeps_promise(const std::string& workload, const History& history) {
  const auto found = rules().find(workload);
  if (found == rules().end()) return std::nullopt;
  return found->second(calls_of(history));
}

}  // namespace ordeal::testing_support
