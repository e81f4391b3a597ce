#include "support/oracle.h"

#include <algorithm>
#include <map>
#include <set>

namespace ordeal::testing_support {
namespace {

Value::List with(const Value& list, Value item, bool sorted) {
  Value::List out = list.items();
  out.push_back(std::move(item));
  if (sorted) std::sort(out.begin(), out.end());
  return out;
}

Value::List without(const Value& list, std::size_t i) {
  Value::List out = list.items();
  out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
  return out;
}

std::vector<Outcome> register_outcomes(const Value& state, const std::string& f, const Value& argument) {
  if (f == "read") return {{state, state}};
  if (f == "write") return {{argument, Value()}};
  if (f == "cas" && state == argument.items()[0]) return {{argument.items()[1], Value()}};
  return {};
}

std::vector<Outcome> queue_outcomes(const std::string& model, const Value& state, const std::string& f,
                                    const Value& argument) {
  const bool sorted = model == "unordered-queue" || model == "priority-queue";
  if (f == "enqueue" || f == "push") return {{with(state, argument, sorted), Value()}};
  const std::size_t n = state.items().size();
  if (n == 0) return {{state, Value()}};
  if (model == "stack") return {{without(state, n - 1), state.items()[n - 1]}};
  if (model != "unordered-queue") return {{without(state, 0), state.items()[0]}};
  std::vector<Outcome> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back({without(state, i), state.items()[i]});
  return out;
}

std::vector<Outcome> set_outcomes(const Value& state, const std::string& f, const Value& argument) {
  const auto place = std::find(state.items().begin(), state.items().end(), argument);
  const bool there = place != state.items().end();
  if (f == "read") return {{state, state}};
  if (f == "contains") {
    const auto found = std::find(state.items().begin(), state.items().end(), argument.items()[0]);
    return {{state, Value::List{argument.items()[0], Value(found != state.items().end())}}};
  }
  if (f == "add") return {{there ? state : Value(with(state, argument, true)), Value()}};
  return {{there ? Value(without(state, static_cast<std::size_t>(place - state.items().begin()))) : state, Value()}};
}

// A lock's state: [[holders …], last token].
std::vector<Outcome> lock_outcomes(const std::string& model, const Value& state, const std::string& f,
                                   std::int64_t process, const Value* seen) {
  const Value::List& holders = state.items()[0].items();
  const Value me = model == "mutex" ? Value(0) : Value(process);
  Value::List next = holders;
  Value token = state.items()[1];
  if (f == "release") {
    const auto place = std::find(next.begin(), next.end(), me);
    if (place == next.end()) return {};
    next.erase(place);
    return {{Value::List{next, token}, Value()}};
  }
  std::size_t permits = 1;
  if (model.starts_with("semaphore-")) permits = static_cast<std::size_t>(std::stoi(model.substr(10)));
  const bool again = model == "reentrant-mutex" && !holders.empty() && holders[0] == me;
  if (holders.size() >= permits && !again) return {};
  if (model == "fenced-mutex") {
    const std::int64_t last = token.is_nil() ? -1000 : token.integer();
    const std::int64_t mine = seen != nullptr ? seen->integer() : last + 1;
    if (mine <= last) return {};
    token = Value(mine);
  }
  next.push_back(me);
  std::sort(next.begin(), next.end());
  return {{Value::List{next, token}, token}};
}

bool is_lock(const std::string& model) {
  return model.ends_with("mutex") || model == "mutex-owner" || model.starts_with("semaphore-");
}

}  // namespace

std::vector<Outcome> outcomes(const std::string& model, const Value& state, const std::string& f, const Value& argument,
                              std::int64_t process, const Value* seen) {
  if (model == "register" || model == "cas-register" || model == "multi-register")
    return register_outcomes(state, f, argument);
  if (model.ends_with("queue") || model == "stack") return queue_outcomes(model, state, f, argument);
  if (model == "set") return set_outcomes(state, f, argument);
  if (is_lock(model)) return lock_outcomes(model, state, f, process, seen);
  if (model == "log") {
    if (f == "append") return {{with(state, argument, false), Value()}};
    return {{state, state}};
  }
  if (model == "counter" || model == "fetch-add") {
    if (f == "read") return {{state, state}};
    if (f == "add") return {{Value(state.integer() + argument.integer()), Value()}};
    const std::int64_t delta = argument.items()[0].integer();
    return {{Value(state.integer() + delta), Value::List{Value(delta), state}}};
  }
  if (model == "kv") {
    if (f == "get") return {{state, state}};
    if (f == "put") return {{argument, Value()}};
    return {{Value(state.string() + argument.string()), Value()}};
  }
  if (model == "versioned-register") {  // state and results: [version, value]
    if (f == "read") return {{state, state}};
    const Value version(state.items()[0].integer() + 1);
    const Value& wanted = argument.items()[1];
    if (f == "write") return {{Value::List{version, wanted}, Value::List{version, wanted}}};
    if (state.items()[1] != wanted.items()[0]) return {};
    return {{Value::List{version, wanted.items()[1]}, Value::List{version, wanted}}};
  }
  if (model == "unique-ids") {
    if (seen == nullptr) return {{state, Value()}};
    if (std::find(state.items().begin(), state.items().end(), *seen) != state.items().end()) return {};
    return {{with(state, *seen, true), *seen}};
  }
  return {};
}

Value initial_state(const std::string& model, const CheckOptions& options) {
  if (is_lock(model)) return Value::List{Value::list(), Value()};
  if (options.initial) return *options.initial;
  if (model.ends_with("queue") || model == "stack" || model == "set" || model == "log" || model == "unique-ids")
    return Value::list();
  if (model == "counter" || model == "fetch-add") return Value(0);
  if (model == "kv") return Value("");
  if (model == "versioned-register") return Value::List{Value(0), Value()};
  return Value();
}

namespace {

class Search {
 public:
  Search(const History& history, const CheckOptions& options, bool realtime,
         std::optional<std::int64_t> bound_ns = std::nullopt)
      : options_(options), realtime_(realtime), bound_ns_(bound_ns) {
    const ValueTable& values = history.values();
    for (const OperationEvents op : history.operations()) {
      const EventType outcome = history.outcome(op);
      if (outcome == EventType::fail) continue;
      One one;
      one.f = history.f_name(op.invocation);
      one.key = values.to_value(history.key(op.invocation));
      one.process = history.process(op.invocation);
      one.argument = values.to_value(history.value(op.invocation));
      one.inv = op.invocation;
      one.ok = outcome == EventType::ok;
      one.ret = one.ok ? op.completion : 0xFFFFFFFFu;
      one.begun_ns = history.time(op.invocation);
      if (one.ok) one.ended_ns = history.time(op.completion);
      if (one.ok) one.result = values.to_value(history.value(op.completion));
      one.session = one.process + 1000 * crashes_[one.process];
      if (!one.ok) ++crashes_[one.process];
      ops_.push_back(std::move(one));
    }
  }

  bool run() { return from(0, Value::map()); }

 private:
  struct One {
    std::string f;
    Value key, argument, result;
    std::int64_t process = 0;
    std::int64_t session = 0;  // of what one process did up to its next crash
    EventIndex inv = 0, ret = 0;
    std::int64_t begun_ns = 0, ended_ns = 0;
    bool ok = false;
  };

  bool sees_result(const One& op) const {
    static const std::set<std::string> observers{"read", "get", "dequeue", "pop", "contains", "fetch-add", "generate"};
    if (options_.model == "versioned-register") return true;
    if (options_.model == "fenced-mutex" && op.f == "acquire") return true;
    return observers.count(op.f) != 0;
  }

  bool matches(const One& op, const Value& result) const {
    if (!op.ok || !sees_result(op)) return true;
    if (options_.nil_reads == NilReads::unknown && (op.f == "read" || op.f == "get") && op.result.is_nil()) return true;
    if (op.result.is_nil() && (result == Value("") || result == Value::list()) && op.f != "dequeue") return true;
    if (options_.model == "set" && op.f == "read" && op.result.is_list()) {
      Value::List sorted = op.result.items();
      std::sort(sorted.begin(), sorted.end());
      return Value(sorted) == result;
    }
    return op.result == result;
  }

  // Whether an operation that has not been done must come before.
  bool waits(std::uint64_t done, std::size_t i, EventIndex deadline) const {
    if (bound_ns_ && (ops_[i].f == "read" || ops_[i].f == "get" || ops_[i].f == "contains")) {
      for (std::size_t j = 0; j < ops_.size(); ++j) {
        if ((done >> j & 1) == 0 && j != i && ops_[j].ok && ops_[j].ended_ns < ops_[i].begun_ns - *bound_ns_)
          return true;
      }
      return false;
    }
    if (realtime_) return ops_[i].inv > deadline;
    for (std::size_t j = 0; j < i; ++j) {
      if ((done >> j & 1) == 0 && ops_[j].session == ops_[i].session) return true;
    }
    return false;
  }

  bool from(std::uint64_t done, const Value& state) {
    bool all = true;
    EventIndex deadline = 0xFFFFFFFFu;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      if ((done >> i & 1) != 0) continue;
      if (ops_[i].ok) all = false;
      deadline = std::min(deadline, ops_[i].ret);
    }
    if (all) return true;
    if (!seen_.insert({done, state.to_json()}).second) return false;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      const One& op = ops_[i];
      if ((done >> i & 1) != 0 || waits(done, i, deadline)) continue;
      const Value* part = state.find(op.key);
      const Value before = part != nullptr ? *part : initial_state(options_.model, options_);
      const Value* seen = op.ok && sees_result(op) ? &op.result : nullptr;
      const Value argument = op.f == "contains" && op.ok ? op.result : op.argument;
      for (const Outcome& outcome : outcomes(options_.model, before, op.f, argument, op.process, seen)) {
        if (!matches(op, outcome.result)) continue;
        Value next = state;
        next.set(op.key, outcome.state);
        if (from(done | std::uint64_t{1} << i, next)) return true;
      }
    }
    return false;
  }

  const CheckOptions& options_;
  bool realtime_;
  std::optional<std::int64_t> bound_ns_;
  std::map<std::int64_t, std::int64_t> crashes_;  // by process
  std::vector<One> ops_;
  std::set<std::pair<std::uint64_t, std::string>> seen_;
};

}  // namespace

bool oracle_linearizable(const History& history, const CheckOptions& options) {
  return Search(history, options, true).run();
}

bool oracle_sequential(const History& history, const CheckOptions& options) {
  return Search(history, options, false).run();
}

bool oracle_bounded_staleness(const History& history, const CheckOptions& options, std::int64_t bound_ns) {
  return Search(history, options, true, bound_ns).run();
}

}  // namespace ordeal::testing_support
