// set, log, and the four containers that are put into and taken from: queue, unordered-queue, stack, priority-queue.
// A state is the list of the elements' ids: sorted by id (set, unordered queue), by number (priority queue), or in the
// order of insertion (log, queue, stack). Large ones are what the special cases are for (strategies.cc).

#include <algorithm>

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {
namespace {

using Ids = std::vector<std::uint32_t>;

// An initial list as ids; values that occur nowhere in the history cannot be told apart from one another by it, so
// they get ids from the top downwards.
Ids initial_ids(const History& history, const CheckOptions& options) {
  Ids out;
  if (!options.initial || options.initial->is_nil()) return out;
  std::uint32_t unseen = kAbsent - 1;
  for (const Value& item : options.initial->items()) {
    const ValueId id = history.values().find(item);
    out.push_back(id == kAbsent ? unseen-- : id);
  }
  return out;
}

class SetModel final : public ModelBase {
 public:
  SetModel(const History& history, State initial, bool nil_is_unknown)
      : ModelBase("set", history,
                  {{"add", set::kAdd, Holds::asked},
                   {"read", set::kRead, Holds::returned},
                   {"remove", set::kRemove, Holds::asked},
                   {"contains", set::kContains, Holds::returned}}),
        initial_(std::move(initial)),
        nil_is_unknown_(nil_is_unknown) {
    std::sort(initial_.begin(), initial_.end());
    initial_.erase(std::unique(initial_.begin(), initial_.end()), initial_.end());
  }

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    out.crashed = !is_ok(op);
    switch (out.code) {
      case set::kAdd:
      case set::kRemove:
        out.a = argument(op);
        return out;
      case set::kRead: {
        if (out.crashed) return std::nullopt;
        out.a = result(op);
        if (out.a == kNil && nil_is_unknown_) return std::nullopt;
        if (out.a != kNil && values().kind(result(op)) != Value::Kind::list) {
          return malformed(op, "a list of elements as the result of a read");
        }
        return out;
      }
      case set::kContains: {
        if (out.crashed) return std::nullopt;
        const ValueId pair = result(op);
        if (values().kind(pair) != Value::Kind::list || values().as_list(pair).size() != 2 ||
            values().kind(values().as_list(pair)[1]) != Value::Kind::boolean) {
          return malformed(op, "[element, true or false] as the value of contains");
        }
        if (asked_of_another(op, values().as_list(pair)[0])) return tl::unexpected<Error>(contradiction(op));
        out.a = values().as_list(pair)[0];
        out.b = values().as_boolean(values().as_list(pair)[1]) ? 1 : 0;
        return out;
      }
      default:
        return does_not_know(op);
    }
  }

  State initial() const override { return initial_; }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const auto element = static_cast<ValueId>(op.a);
    if (op.code == set::kRead) {
      Ids seen;
      if (op.a != kNil) {
        const auto items = values().as_list(element);
        seen.assign(items.begin(), items.end());
      }
      std::sort(seen.begin(), seen.end());
      if (seen == state) successors.push_back(state);
      return;
    }
    const auto place = std::lower_bound(state.begin(), state.end(), element);
    const bool there = place != state.end() && *place == element;
    if (op.code == set::kContains) {
      if (there == (op.b != 0)) successors.push_back(state);
      return;
    }
    State next = state;
    const auto at = next.begin() + (place - state.begin());
    if (op.code == set::kAdd && !there) next.insert(at, element);
    if (op.code == set::kRemove && there) next.erase(at);
    successors.push_back(std::move(next));
  }

  unsigned traits(const Operation& op) const override {
    return op.code == set::kRead || op.code == set::kContains ? kPure : kTotal;
  }

  std::string describe(const State& state) const override { return describe_ids(state, '{', '}'); }
  std::string describe(const Operation& op) const override {
    switch (op.code) {
      case set::kRead:
        return "read " + text(op.a);
      case set::kAdd:
        return "add " + text(op.a);
      case set::kRemove:
        return "remove " + text(op.a);
      default:
        return "contains " + text(op.a) + (op.b != 0 ? ": yes" : ": no");
    }
  }

  std::string describe_ids(const State& state, char open, char close) const {
    std::string out(1, open);
    for (std::size_t i = 0; i < state.size(); ++i) {
      if (i == 20) return out + ", … " + std::to_string(state.size()) + " in all" + close;
      if (i > 0) out += ", ";
      out += state[i] < values().size() ? text(state[i]) : "an initial value";
    }
    return out + close;
  }

 private:
  // The invocation of contains asked for another element: [element, nil] or the element itself.
  bool asked_of_another(OperationEvents op, ValueId element) const {
    ValueId asked = history_.value(op.invocation);
    if (asked == kAbsent || asked == kNil || asked == element) return false;
    if (values().kind(asked) == Value::Kind::list && values().as_list(asked).size() == 2)
      asked = values().as_list(asked)[0];
    return asked != element;
  }
  State initial_;
  bool nil_is_unknown_;
};

std::string list_text(const ValueTable& values, const State& state) {
  std::string out = "[";
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (i == 20) return out + ", … " + std::to_string(state.size()) + " in all]";
    if (i > 0) out += ", ";
    out += state[i] < values.size() ? values.to_json(state[i]) : "an initial value";
  }
  return out + "]";
}

// A log: append at the end; read everything, or with an integer in the invocation everything from that offset on.
class LogModel final : public ModelBase {
 public:
  LogModel(const History& history, State initial, bool nil_is_unknown)
      : ModelBase("log", history, {{"append", log::kAppend, Holds::asked}, {"read", log::kRead, Holds::returned}}),
        initial_(std::move(initial)),
        nil_is_unknown_(nil_is_unknown) {}

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    out.crashed = !is_ok(op);
    if (out.code == log::kAppend) {
      out.a = argument(op);
      return out;
    }
    if (out.crashed) return std::nullopt;
    out.a = result(op);
    if (out.a == kNil && nil_is_unknown_) return std::nullopt;
    if (out.a != kNil && values().kind(result(op)) != Value::Kind::list) {
      return malformed(op, "the list of elements as the result of a read");
    }
    const ValueId from = history_.value(op.invocation);
    if (from != kAbsent && values().kind(from) == Value::Kind::integer) {
      out.b = values().as_integer(from);
      if (out.b < 0) return malformed(op, "an offset that is not negative");
    }
    return out;
  }

  State initial() const override { return initial_; }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    if (op.code == log::kAppend) {
      State next = state;
      next.push_back(static_cast<ValueId>(op.a));
      successors.push_back(std::move(next));
      return;
    }
    const auto from = std::min(static_cast<std::size_t>(op.b), state.size());
    const auto seen = op.a == kNil ? std::span<const ValueId>() : values().as_list(static_cast<ValueId>(op.a));
    if (std::equal(seen.begin(), seen.end(), state.begin() + static_cast<std::ptrdiff_t>(from), state.end())) {
      successors.push_back(state);
    }
  }

  unsigned traits(const Operation& op) const override { return op.code == log::kRead ? kPure : kTotal; }
  std::string describe(const State& state) const override { return list_text(values(), state); }
  std::string describe(const Operation& op) const override {
    if (op.code == log::kAppend) return "append " + text(op.a);
    return "read " + text(op.a) + (op.b == 0 ? "" : " from offset " + std::to_string(op.b));
  }

 private:
  State initial_;
  bool nil_is_unknown_;
};

enum class QueueKind { fifo, unordered, stack, priority };

class QueueModel final : public ModelBase {
 public:
  QueueModel(std::string_view name, const History& history, QueueKind kind, State initial)
      : ModelBase(std::string(name), history,
                  kind == QueueKind::stack ? std::initializer_list<Function>{{"push", queue::kPut, Holds::asked},
                                                                             {"pop", queue::kTake, Holds::returned}}
                                           : std::initializer_list<Function>{{"enqueue", queue::kPut, Holds::asked},
                                                                             {"dequeue", queue::kTake, Holds::returned},
                                                                             {"insert", queue::kPut, Holds::asked},
                                                                             {"poll", queue::kTake, Holds::returned},
                                                                             {"offer", queue::kPut, Holds::asked}}),
        kind_(kind),
        initial_(std::move(initial)) {
    if (kind_ == QueueKind::unordered) std::sort(initial_.begin(), initial_.end());
    if (kind_ == QueueKind::priority) {
      std::sort(initial_.begin(), initial_.end(), [&](ValueId x, ValueId y) { return before(x, y); });
    }
  }

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    out.crashed = !is_ok(op);
    out.a = out.code == queue::kPut ? argument(op) : out.crashed ? kUnknown : result(op);
    if (out.code == queue::kPut && out.a == kNil) return malformed(op, "an element other than nil (nil means empty)");
    if (kind_ == QueueKind::priority && out.a > kNil &&
        values().kind(static_cast<ValueId>(out.a)) != Value::Kind::integer) {
      return malformed(op, "an integer, which is its own priority");
    }
    return out;
  }

  State initial() const override { return initial_; }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    if (op.code == queue::kPut) {
      successors.push_back(put(state, static_cast<ValueId>(op.a)));
      return;
    }
    if (op.a == kNil || state.empty()) {
      // A crashed take of an empty container changed nothing.
      if (state.empty() && op.a <= kNil) successors.push_back(state);
      return;
    }
    if (kind_ == QueueKind::unordered) return take_any(state, op, successors);
    const std::size_t place = kind_ == QueueKind::stack ? state.size() - 1 : 0;
    if (op.a != kUnknown && state[place] != op.a) return;
    State next = state;
    next.erase(next.begin() + static_cast<std::ptrdiff_t>(place));
    successors.push_back(std::move(next));
  }

  unsigned traits(const Operation& op) const override {
    if (op.code == queue::kPut) return kTotal;
    return op.a == kNil ? kPure : 0u;
  }

  std::string describe(const State& state) const override { return list_text(values(), state); }
  std::string describe(const Operation& op) const override {
    const bool stack = kind_ == QueueKind::stack;
    if (op.code == queue::kPut) return (stack ? "push " : "enqueue ") + text(op.a);
    const std::string take = stack ? "pop" : "dequeue";
    if (op.a == kNil) return take + " that found it empty";
    return take + " " + text(op.a);
  }

 private:
  bool before(ValueId x, ValueId y) const { return values().as_integer(x) < values().as_integer(y); }

  State put(const State& state, ValueId element) const {
    State next = state;
    auto place = next.end();
    if (kind_ == QueueKind::unordered) place = std::lower_bound(next.begin(), next.end(), element);
    if (kind_ == QueueKind::priority) {
      place = std::lower_bound(next.begin(), next.end(), element, [&](ValueId x, ValueId y) { return before(x, y); });
    }
    next.insert(place, element);
    return next;
  }

  void take_any(const State& state, const Operation& op, std::vector<State>& successors) const {
    for (std::size_t i = 0; i < state.size(); ++i) {
      if (op.a != kUnknown && state[i] != op.a) continue;
      if (i > 0 && state[i] == state[i - 1]) continue;
      State next = state;
      next.erase(next.begin() + static_cast<std::ptrdiff_t>(i));
      successors.push_back(std::move(next));
    }
  }

  QueueKind kind_;
  State initial_;
};

bool is_list_or_absent(const CheckOptions& options) {
  return !options.initial_unknown && (!options.initial || options.initial->is_nil() || options.initial->is_list());
}

}  // namespace

MadeModel make_set(std::string_view name, const History& history, const CheckOptions& options) {
  if (!is_list_or_absent(options)) return bad_initial(name, "a list of elements", options);
  return std::make_unique<SetModel>(history, initial_ids(history, options), options.nil_reads == NilReads::unknown);
}

MadeModel make_log(std::string_view name, const History& history, const CheckOptions& options) {
  if (!is_list_or_absent(options)) return bad_initial(name, "a list of elements", options);
  return std::make_unique<LogModel>(history, initial_ids(history, options), options.nil_reads == NilReads::unknown);
}

MadeModel make_queue(std::string_view name, const History& history, const CheckOptions& options) {
  if (!is_list_or_absent(options)) return bad_initial(name, "a list of elements", options);
  QueueKind kind = QueueKind::fifo;
  if (name == "unordered-queue") kind = QueueKind::unordered;
  if (name == "stack") kind = QueueKind::stack;
  if (name == "priority-queue") kind = QueueKind::priority;
  State initial = initial_ids(history, options);
  if (kind == QueueKind::priority) {
    for (const std::uint32_t id : initial) {
      if (id >= history.values().size() || history.values().kind(id) != Value::Kind::integer) {
        return bad_initial(name, "a list of integers that occur in the history", options);
      }
    }
  }
  return std::make_unique<QueueModel>(name, history, kind, std::move(initial));
}

}  // namespace ordeal::lin
