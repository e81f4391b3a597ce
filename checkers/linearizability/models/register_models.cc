// register and cas-register: one value that is read, overwritten, and exchanged when it is what was expected.
// The state is one word: the value's id.

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {
namespace {

constexpr std::uint32_t kUnseenState = 0xFFFFFFFEu;  // the initial value occurs nowhere in the history

class RegisterModel final : public ModelBase {
 public:
  RegisterModel(std::string_view name, const History& history, const CheckOptions& options)
      : ModelBase(std::string(name), history,
                  name == "register" ? std::initializer_list<Function>{{"read", reg::kRead, Holds::returned},
                                                                       {"write", reg::kWrite, Holds::asked}}
                                     : std::initializer_list<Function>{{"read", reg::kRead, Holds::returned},
                                                                       {"write", reg::kWrite, Holds::asked},
                                                                       {"cas", reg::kCas, Holds::asked}}),
        nil_is_unknown_(options.nil_reads == NilReads::unknown) {
    if (options.initial_unknown) {
      initial_ = kAnyState;
    } else if (options.initial) {
      initial_ = history.values().find(*options.initial);
      if (initial_ == kAbsent) initial_ = kUnseenState;
      unseen_text_ = options.initial->to_json();
    }
  }

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    // Neither a write nor a cas returns anything, so crashed ones are no class of their own.
    switch (out.code) {
      case reg::kRead:
        if (!is_ok(op)) return std::nullopt;
        out.a = result(op);
        if (out.a == kNil && nil_is_unknown_) return std::nullopt;
        return out;
      case reg::kWrite:
        out.a = argument(op);
        return out;
      case reg::kCas: {
        const ValueId pair = argument(op);
        if (values().kind(pair) != Value::Kind::list || values().as_list(pair).size() != 2) {
          return malformed(op, "[old, new] as the value of a cas");
        }
        out.a = values().as_list(pair)[0];
        out.b = values().as_list(pair)[1];
        return out;
      }
      default:
        return does_not_know(op);
    }
  }

  State initial() const override { return {initial_}; }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const bool any = state[0] == kAnyState;
    switch (op.code) {
      case reg::kRead:
        if (any || state[0] == op.a) successors.push_back({static_cast<std::uint32_t>(op.a)});
        break;
      case reg::kWrite:
        successors.push_back({static_cast<std::uint32_t>(op.a)});
        break;
      default:
        if (any || state[0] == op.a) successors.push_back({static_cast<std::uint32_t>(op.b)});
    }
  }

  unsigned traits(const Operation& op) const override {
    switch (op.code) {
      case reg::kRead:
        return kPure;
      case reg::kWrite:
        return kTotal | kOverwrites;
      default:
        return op.a == op.b ? kPure : 0u;
    }
  }

  bool covers(const Operation& strong, const Operation& weak) const override {
    return strong.code == reg::kWrite && weak.code == reg::kCas && strong.a == weak.b;
  }

  std::string describe(const State& state) const override {
    if (state[0] == kAnyState) return "unknown";
    return state[0] == kUnseenState ? unseen_text_ : text(state[0]);
  }

  std::string describe(const Operation& op) const override {
    switch (op.code) {
      case reg::kRead:
        return "read " + text(op.a);
      case reg::kWrite:
        return "write " + text(op.a);
      default:
        return "cas from " + text(op.a) + " to " + text(op.b);
    }
  }

 private:
  bool nil_is_unknown_;
  std::uint32_t initial_ = kNil;
  std::string unseen_text_;
};

// versioned-register, as Jepsen's etcd tests use it: values are [version, value], every write and every cas raises
// the version by one, and a nil version is not known. Operation: a = value (cas: from << 32 | to), b = version or
// kUnknown. State: the version in two words, then the value.
class VersionedRegister final : public ModelBase {
 public:
  VersionedRegister(const History& history, std::int64_t version, ValueId value, bool nil_is_unknown)
      : ModelBase("versioned-register", history,
                  {{"read", reg::kRead, Holds::returned}, {"write", reg::kWrite}, {"cas", reg::kCas}}),
        version_(version),
        value_(value),
        nil_is_unknown_(nil_is_unknown) {}

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    out.crashed = !is_ok(op);
    if (out.crashed && out.code == reg::kRead) return std::nullopt;
    const ValueId pair = history_.operation_value(op);
    if (pair == kAbsent || values().kind(pair) != Value::Kind::list || values().as_list(pair).size() != 2) {
      return malformed(op, "[version, value] as the value");
    }
    const ValueId version = values().as_list(pair)[0];
    const ValueId value = values().as_list(pair)[1];
    if (out.code != reg::kRead && asked_otherwise(op, value)) return tl::unexpected<Error>(contradiction(op));
    out.b = kUnknown;
    if (version != kNil) {
      if (values().kind(version) != Value::Kind::integer) return malformed(op, "an integer or nil as version");
      if (!out.crashed) out.b = values().as_integer(version);
      if (out.b < kUnknown) return malformed(op, "a version that is not negative");
    }
    out.a = value;
    if (out.code == reg::kCas) {
      if (values().kind(value) != Value::Kind::list || values().as_list(value).size() != 2) {
        return malformed(op, "[version, [old, new]] as the value of a cas");
      }
      out.a = static_cast<std::int64_t>(values().as_list(value)[0]) << 32 | values().as_list(value)[1];
    }
    if (out.code == reg::kRead && value == kNil && nil_is_unknown_) {
      if (out.b == kUnknown) return std::nullopt;
      out.a = kUnknown;
    }
    return out;
  }

  State initial() const override { return make(version_, value_); }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const std::int64_t version = number_at(state, 0);
    if (op.code == reg::kRead) {
      const bool fits = (op.b == kUnknown || op.b == version) && (op.a == kUnknown || op.a == state[2]);
      if (fits) successors.push_back(state);
      return;
    }
    if (op.b != kUnknown && op.b != version + 1) return;
    if (op.code == reg::kCas && static_cast<std::uint32_t>(op.a >> 32) != state[2]) return;
    successors.push_back(make(version + 1, static_cast<ValueId>(op.a & 0xFFFFFFFF)));
  }

  unsigned traits(const Operation& op) const override {
    if (op.code == reg::kRead) return kPure;
    if (op.code == reg::kWrite && op.b == kUnknown) return kTotal;
    return 0;
  }

  std::string describe(const State& state) const override {
    return text(state[2]) + " at version " + std::to_string(number_at(state, 0));
  }

  std::string describe(const Operation& op) const override {
    const std::string version = op.b == kUnknown ? "" : " at version " + std::to_string(op.b);
    switch (op.code) {
      case reg::kRead:
        return "read " + text(op.a) + version;
      case reg::kWrite:
        return "write " + text(op.a) + version;
      default:
        return "cas from " + text(op.a >> 32) + " to " + text(op.a & 0xFFFFFFFF) + version;
    }
  }

 private:
  // The invocation of a write or cas asked for another value than was written.
  bool asked_otherwise(OperationEvents op, ValueId value) const {
    const ValueId asked = history_.value(op.invocation);
    if (asked == kAbsent || values().kind(asked) != Value::Kind::list || values().as_list(asked).size() != 2)
      return false;
    const ValueId wanted = values().as_list(asked)[1];
    return wanted != kNil && wanted != value;
  }
  static State make(std::int64_t version, ValueId value) {
    State out;
    push_number(out, version);
    out.push_back(value);
    return out;
  }
  std::int64_t version_;
  ValueId value_;
  bool nil_is_unknown_;
};

}  // namespace

MadeModel make_register(std::string_view name, const History& history, const CheckOptions& options) {
  return std::make_unique<RegisterModel>(name, history, options);
}

MadeModel make_versioned_register(std::string_view name, const History& history, const CheckOptions& options) {
  std::int64_t version = 0;
  ValueId value = kNil;
  if (options.initial_unknown) return bad_initial(name, "[version, value]", options);
  if (options.initial && !options.initial->is_nil()) {
    const Value& pair = *options.initial;
    if (!pair.is_list() || pair.items().size() != 2 || !pair.items()[0].is_integer()) {
      return bad_initial(name, "[version, value]", options);
    }
    version = pair.items()[0].integer();
    value = history.values().find(pair.items()[1]);
    if (value == kAbsent) value = kUnseenState;
  }
  return std::make_unique<VersionedRegister>(history, version, value, options.nil_reads == NilReads::unknown);
}

}  // namespace ordeal::lin
