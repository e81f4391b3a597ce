// counter, fetch-add and unique-ids. A counter's state: whether the number is known, and the number in two words.

#include <algorithm>

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {
namespace {

std::int64_t wrapping_add(std::int64_t x, std::int64_t y) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) + static_cast<std::uint64_t>(y));
}

std::int64_t wrapping_subtract(std::int64_t x, std::int64_t y) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) - static_cast<std::uint64_t>(y));
}

class CounterModel final : public ModelBase {
 public:
  CounterModel(std::string_view name, const History& history, std::optional<std::int64_t> initial, bool nil_is_unknown)
      : ModelBase(std::string(name), history,
                  {{"read", counter::kRead, Holds::returned},
                   {"get", counter::kRead, Holds::returned},
                   {"add", counter::kAdd, Holds::asked},
                   {"increment", counter::kAdd, Holds::asked},
                   {"inc", counter::kAdd, Holds::asked},
                   {"decrement", kSubtract, Holds::asked},
                   {"dec", kSubtract, Holds::asked},
                   {"fetch-add", counter::kFetchAdd},
                   {"fetch-and-add", counter::kFetchAdd},
                   {"add-and-get", kAddGet}}),
        initial_(initial),
        nil_is_unknown_(nil_is_unknown) {}

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    out.crashed = !is_ok(op);
    switch (out.code) {
      case counter::kRead: {
        if (out.crashed) return std::nullopt;
        const ValueId value = result(op);
        if (value == kNil && nil_is_unknown_) return std::nullopt;
        if (values().kind(value) != Value::Kind::integer) return malformed(op, "an integer as the result of a read");
        out.a = values().as_integer(value);
        return out;
      }
      case counter::kAdd:
      case kSubtract: {
        const ValueId value = argument(op);
        if (value != kNil && values().kind(value) != Value::Kind::integer) return malformed(op, "an integer to add");
        out.a = value == kNil ? 1 : values().as_integer(value);
        if (out.code == kSubtract) out.a = wrapping_subtract(0, out.a);
        out.code = counter::kAdd;
        return out;
      }
      case counter::kFetchAdd:
      case kAddGet:
        return parse_fetch(op, out);
      default:
        return does_not_know(op);
    }
  }

  State initial() const override { return initial_ ? make(*initial_) : State{0, 0, 0}; }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const bool known = state[0] != 0;
    const std::int64_t n = number_at(state, 1);
    if (op.code == counter::kRead) {
      if (!known || n == op.a) successors.push_back(make(op.a));
    } else if (op.code == counter::kFetchAdd && !op.crashed) {
      if (!known || n == op.b) successors.push_back(make(wrapping_add(op.b, op.a)));
    } else {
      successors.push_back(known ? make(wrapping_add(n, op.a)) : state);
    }
  }

  unsigned traits(const Operation& op) const override {
    if (op.code == counter::kRead) return kPure;
    if (op.code == counter::kAdd && op.a == 0) return kPure | kTotal;
    return op.code == counter::kAdd || op.crashed ? kTotal : 0u;
  }

  std::string describe(const State& state) const override {
    return state[0] != 0 ? std::to_string(number_at(state, 1)) : "unknown";
  }

  std::string describe(const Operation& op) const override {
    switch (op.code) {
      case counter::kRead:
        return "read " + std::to_string(op.a);
      case counter::kAdd:
        return "add " + std::to_string(op.a);
      default:
        return "fetch-add " + std::to_string(op.a) + (op.crashed ? "" : " from " + std::to_string(op.b));
    }
  }

 private:
  static constexpr std::uint8_t kSubtract = 100, kAddGet = 101;

  // [delta, old], or for add-and-get [delta, new]. A crashed one and the invocation may be the bare delta.
  Result<std::optional<Operation>> parse_fetch(OperationEvents op, Operation out) const {
    const bool new_number = out.code == kAddGet;
    out.code = counter::kFetchAdd;
    const ValueId value = history_.operation_value(op);
    const auto is_integer = [&](ValueId id) { return id != kAbsent && values().kind(id) == Value::Kind::integer; };
    const bool pair =
        value != kAbsent && values().kind(value) == Value::Kind::list && values().as_list(value).size() == 2;
    if (out.crashed) {
      const ValueId delta = pair ? values().as_list(value)[0] : value;
      if (!is_integer(delta)) return malformed(op, "[delta, nil] as the value of a fetch-add");
      out.a = values().as_integer(delta);
      return out;
    }
    if (!pair || !is_integer(values().as_list(value)[0]) || !is_integer(values().as_list(value)[1])) {
      return malformed(op, "[delta, number returned] as the value of a fetch-add");
    }
    out.a = values().as_integer(values().as_list(value)[0]);
    out.b = values().as_integer(values().as_list(value)[1]);
    ValueId asked = history_.value(op.invocation);
    if (asked != kAbsent && values().kind(asked) == Value::Kind::list && !values().as_list(asked).empty())
      asked = values().as_list(asked)[0];
    if (is_integer(asked) && values().as_integer(asked) != out.a) return tl::unexpected<Error>(contradiction(op));
    if (new_number) out.b = wrapping_subtract(out.b, out.a);
    return out;
  }

  static State make(std::int64_t n) {
    State out{1};
    push_number(out, n);
    return out;
  }
  std::optional<std::int64_t> initial_;
  bool nil_is_unknown_;
};

// unique-ids: no id is given out twice. The state is the sorted list of the ids given out. Per key, like the rest.
class UniqueIds final : public ModelBase {
 public:
  explicit UniqueIds(const History& history)
      : ModelBase("unique-ids", history, {{"generate", ids::kGenerate, Holds::returned}}) {}

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    if (!is_ok(op)) return std::nullopt;
    out.a = result(op);
    if (out.a == kNil) return malformed(op, "an id as the result of generate");
    return out;
  }
  State initial() const override { return {}; }
  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const auto id = static_cast<ValueId>(op.a);
    const auto place = std::lower_bound(state.begin(), state.end(), id);
    if (place != state.end() && *place == id) return;
    State next = state;
    next.insert(next.begin() + (place - state.begin()), id);
    successors.push_back(std::move(next));
  }
  std::string describe(const State& state) const override { return std::to_string(state.size()) + " ids given out"; }
  std::string describe(const Operation& op) const override { return "generate " + text(op.a); }
};

}  // namespace

MadeModel make_counter(std::string_view name, const History& history, const CheckOptions& options) {
  std::optional<std::int64_t> initial = 0;
  if (options.initial_unknown) {
    initial.reset();
  } else if (options.initial && !options.initial->is_nil()) {
    if (!options.initial->is_integer()) return bad_initial(name, "an integer", options);
    initial = options.initial->integer();
  }
  return std::make_unique<CounterModel>(name, history, initial, options.nil_reads == NilReads::unknown);
}

MadeModel make_unique_ids(std::string_view name, const History& history, const CheckOptions& options) {
  if (options.initial_unknown || (options.initial && !options.initial->is_nil())) {
    return bad_initial(name, "nothing", options);
  }
  return std::make_unique<UniqueIds>(history);
}

}  // namespace ordeal::lin
