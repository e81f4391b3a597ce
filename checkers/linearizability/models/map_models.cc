// multi-register: many registers, each op on the key of its event, or a `txn` [["r", k, v], ["w", k, v], …] on several
// at once. Without txns the keys are independent and each is a cas-register of its own.
// kv: a map of strings with get, put and append, as Porcupine's test format has it; a missing key reads "".

#include <algorithm>

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {
namespace {

// State: pairs key, value sorted by key; a key that is not there has the initial value.
// Operation: txn: a = the list of micro-ops. Others: a = key, b = value read or written (cas: from << 32 | to).
class MultiRegister final : public ModelBase {
 public:
  MultiRegister(const History& history, ValueId initial, bool nil_is_unknown)
      : ModelBase("multi-register", history,
                  {{"read", reg::kRead, Holds::returned},
                   {"write", reg::kWrite, Holds::asked},
                   {"cas", reg::kCas, Holds::asked},
                   {"txn", kTxn}}),
        initial_(initial),
        nil_is_unknown_(nil_is_unknown) {}

  bool per_key() const override { return false; }

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    out.crashed = !is_ok(op);
    ValueId key = history_.key(op.invocation);
    if (key == kAbsent) key = kNil;
    out.a = key;
    switch (out.code) {
      case reg::kRead:
        if (out.crashed) return std::nullopt;
        out.b = result(op);
        if (out.b == kNil && nil_is_unknown_) return std::nullopt;
        return out;
      case reg::kWrite:
        out.b = argument(op);
        return out;
      case reg::kCas: {
        const ValueId pair = argument(op);
        if (values().kind(pair) != Value::Kind::list || values().as_list(pair).size() != 2) {
          return malformed(op, "[old, new] as the value of a cas");
        }
        out.b = static_cast<std::int64_t>(values().as_list(pair)[0]) << 32 | values().as_list(pair)[1];
        return out;
      }
      case kTxn: {
        out.a = history_.operation_value(op);
        if (!is_txn(static_cast<ValueId>(out.a)))
          return malformed(op, "[[\"r\" or \"w\", key, value], …] as the value of a txn");
        if (auto why = objection_to_txn(op)) return tl::unexpected<Error>(*std::move(why));
        return out;
      }
      default:
        return does_not_know(op);
    }
  }

  State initial() const override { return {}; }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    State next = state;
    if (op.code == kTxn) {
      for (const ValueId micro : values().as_list(static_cast<ValueId>(op.a))) {
        const auto parts = values().as_list(micro);
        if (values().as_string(parts[0]) == "w") {
          put(next, parts[1], parts[2]);
        } else if (!op.crashed && !(parts[2] == kNil && nil_is_unknown_) && get(next, parts[1]) != parts[2]) {
          return;
        }
      }
    } else {
      const auto key = static_cast<ValueId>(op.a);
      if (op.code == reg::kRead && get(next, key) != op.b) return;
      if (op.code == reg::kCas && get(next, key) != static_cast<ValueId>(op.b >> 32)) return;
      if (op.code != reg::kRead) put(next, key, static_cast<ValueId>(op.b & 0xFFFFFFFF));
    }
    successors.push_back(std::move(next));
  }

  unsigned traits(const Operation& op) const override {
    if (op.code == reg::kRead) return kPure;
    if (op.code == kTxn) return reads_nothing(static_cast<ValueId>(op.a)) ? kTotal : 0u;
    return op.code == reg::kWrite ? kTotal : 0u;
  }

  std::string describe(const State& state) const override {
    std::string out = "{";
    for (std::size_t i = 0; i < state.size(); i += 2)
      out += (i == 0 ? "" : ", ") + text(state[i]) + ": " + text(state[i + 1]);
    return out + "}";
  }
  std::string describe(const Operation& op) const override {
    const std::string key = " of key " + text(op.a);
    switch (op.code) {
      case reg::kRead:
        return "read " + text(op.b) + key;
      case reg::kWrite:
        return "write " + text(op.b) + key;
      case reg::kCas:
        return "cas from " + text(op.b >> 32) + " to " + text(op.b & 0xFFFFFFFF) + key;
      default:
        return "txn " + text(op.a);
    }
  }

 private:
  static constexpr std::uint8_t kTxn = 3;

  bool is_txn(ValueId list) const {
    if (list == kAbsent || values().kind(list) != Value::Kind::list) return false;
    const auto micros = values().as_list(list);
    return std::all_of(micros.begin(), micros.end(), [&](ValueId micro) {
      if (values().kind(micro) != Value::Kind::list || values().as_list(micro).size() != 3) return false;
      const ValueId f = values().as_list(micro)[0];
      return values().kind(f) == Value::Kind::string && (values().as_string(f) == "r" || values().as_string(f) == "w");
    });
  }
  bool reads_nothing(ValueId list) const {
    const auto micros = values().as_list(list);
    return std::none_of(micros.begin(), micros.end(),
                        [&](ValueId micro) { return values().as_string(values().as_list(micro)[0]) == "r"; });
  }
  // An ok txn must repeat what was asked for, with the results of its reads in place.
  std::optional<Error> objection_to_txn(OperationEvents op) const {
    const ValueId asked = history_.value(op.invocation);
    if (!is_ok(op)) return std::nullopt;
    const ValueId done = history_.value(op.completion);
    if (done == kAbsent || done == kNil) return reads_nothing(asked) ? std::nullopt : std::optional(not_recorded(op));
    if (asked == kAbsent || asked == kNil) return std::nullopt;
    const auto repeats = [&](ValueId x, ValueId y) {
      const auto a = values().as_list(x), b = values().as_list(y);
      return a[0] == b[0] && a[1] == b[1] && (a[2] == b[2] || values().as_string(a[0]) == "r");
    };
    if (!is_txn(asked)) return contradiction(op);
    const auto before = values().as_list(asked), after = values().as_list(done);
    const bool same = std::equal(before.begin(), before.end(), after.begin(), after.end(), repeats);
    return same ? std::nullopt : std::optional(contradiction(op));
  }
  static std::size_t place(const State& state, ValueId key) {
    std::size_t low = 0, high = state.size() / 2;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (state[2 * middle] < key)
        low = middle + 1;
      else
        high = middle;
    }
    return 2 * low;
  }
  ValueId get(const State& state, ValueId key) const {
    const std::size_t i = place(state, key);
    return i < state.size() && state[i] == key ? state[i + 1] : initial_;
  }
  void put(State& state, ValueId key, ValueId value) const {
    const std::size_t i = place(state, key);
    if (i < state.size() && state[i] == key) {
      state[i + 1] = value;
    } else {
      state.insert(state.begin() + static_cast<std::ptrdiff_t>(i), {key, value});
    }
    // One state, one spelling: a key with the initial value is left out.
    if (value == initial_)
      state.erase(state.begin() + static_cast<std::ptrdiff_t>(i), state.begin() + static_cast<std::ptrdiff_t>(i) + 2);
  }

  ValueId initial_;
  bool nil_is_unknown_;
};

// A state is the string itself. A string that is not the beginning of
// anything that a get returned will never be returned whatever is appended, so all those are one state (kUnseen): where
// the appended strings are unique, each get so shows the order of the appends before it, and no search has to try
// others.
class KvModel final : public ModelBase {
 public:
  KvModel(const History& history, std::string initial)
      : ModelBase("kv", history,
                  {{"get", str::kGet, Holds::returned},
                   {"put", str::kPut, Holds::asked},
                   {"append", str::kAppend, Holds::asked},
                   {"read", str::kGet, Holds::returned},
                   {"write", str::kPut, Holds::asked}}),
        initial_(std::move(initial)) {
    collect_gets();
  }

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    if (auto why = objection(op)) return tl::unexpected<Error>(*std::move(why));
    Operation out;
    out.code = code_of(op);
    out.crashed = !is_ok(op);
    if (out.crashed && out.code == str::kGet) return std::nullopt;
    const ValueId value = out.code == str::kGet ? result(op) : argument(op);
    // Porcupine's format has no missing keys: nil reads as the empty string.
    if (values().kind(value) != Value::Kind::string && !(out.code == str::kGet && value == kNil)) {
      return malformed(op, "a string");
    }
    out.a = value;
    return out;
  }

  State initial() const override { return pack(initial_); }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const std::string_view value = string_of(op.a);
    if (op.code == str::kPut) {
      successors.push_back(pack(value));
    } else if (op.code == str::kAppend) {
      successors.push_back(state == State{kUnseen} ? state : pack(unpack(state) + std::string(value)));
    } else if (state == pack(value)) {
      successors.push_back(state);
    }
  }

  State canonical(State state) const override {
    if (state == State{kUnseen}) return state;
    const std::string text = unpack(state);
    const auto first = std::lower_bound(gets_.begin(), gets_.end(), text);
    return first != gets_.end() && first->starts_with(text) ? state : State{kUnseen};
  }

  unsigned traits(const Operation& op) const override {
    if (op.code == str::kGet) return kPure;
    if (op.code == str::kPut) return kTotal | kOverwrites;
    return string_of(op.a).empty() ? kTotal | kPure : kTotal;
  }

  std::string describe(const State& state) const override {
    if (state == State{kUnseen}) return "a string that no get returned";
    std::string out;
    append_json_string(out, unpack(state));
    return out;
  }
  std::string describe(const Operation& op) const override {
    return (op.code == str::kGet ? "get " : op.code == str::kPut ? "put " : "append ") + text(op.a);
  }

 private:
  static constexpr std::uint32_t kUnseen = 0xFFFFFFFFu;

  // What was returned as the value of a get, of whatever key.
  void collect_gets() {
    for (EventIndex e = 0; e < history_.size(); ++e) {
      const ValueId value = history_.value(e);
      if (history_.type(e) != EventType::ok || value == kAbsent || code_of({e, e}) != str::kGet) continue;
      if (value == kNil) gets_.emplace_back();
      if (value != kNil && values().kind(value) == Value::Kind::string) gets_.push_back(values().as_string(value));
    }
    std::sort(gets_.begin(), gets_.end());
    gets_.erase(std::unique(gets_.begin(), gets_.end()), gets_.end());
  }

  std::string_view string_of(std::int64_t id) const {
    return id == kNil ? std::string_view() : values().as_string(static_cast<ValueId>(id));
  }
  static State pack(std::string_view text) {
    State out;
    push_string(out, text);
    return out;
  }
  static std::string unpack(const State& state) { return string_at(state, 0); }
  std::string initial_;
  std::vector<std::string_view> gets_;  // what the gets returned, sorted
};

bool has_clients_function(const History& history, std::string_view name) {
  const auto f = history.find_function(name);
  if (!f) return false;
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.f(e) == *f && history.process(e) >= 0) return true;
  }
  return false;
}

}  // namespace

MadeModel make_multi_register(std::string_view name, const History& history, const CheckOptions& options) {
  if (!has_clients_function(history, "txn")) return make_register(name, history, options);
  if (options.initial_unknown) return bad_initial(name, "one value for every key when there are txns", options);
  ValueId initial = kNil;
  if (options.initial) {
    initial = history.values().find(*options.initial);
    if (initial == kAbsent) initial = kAbsent - 1;
  }
  return std::make_unique<MultiRegister>(history, initial, options.nil_reads == NilReads::unknown);
}

MadeModel make_kv(std::string_view name, const History& history, const CheckOptions& options) {
  if (options.initial_unknown) return bad_initial(name, "a string", options);
  if (options.initial && !options.initial->is_nil() && !options.initial->is_string()) {
    return bad_initial(name, "a string", options);
  }
  return std::make_unique<KvModel>(history,
                                   options.initial && options.initial->is_string() ? options.initial->string() : "");
}

}  // namespace ordeal::lin
