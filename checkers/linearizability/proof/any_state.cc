#include "checkers/linearizability/proof/any_state.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/any_elements.h"
#include "checkers/linearizability/proof/derived.h"

namespace ordeal::lin {
namespace {

class AnyRegister final : public Derived {
 public:
  using Derived::Derived;
  State initial() const override { return {kAnyState}; }
};

// A number that is not known plus another is not known either, until somebody sees it.
class AnyCounter final : public Derived {
 public:
  AnyCounter(const Model& model, Unseen unseen) : Derived(model), unseen_(unseen) {}
  State initial() const override { return {0, 0, 0}; }
  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const bool read = op.code == counter::kRead, shows = read || (op.code == counter::kFetchAdd && !op.crashed);
    const std::int64_t seen = read ? op.a : op.b;
    const bool known = state[0] != 0;
    const bool moved = shows && known && number_at(state, 1) != seen;
    const bool up = moved && number_at(state, 1) < seen;
    if (moved && unseen_ == (up ? Unseen::additions : Unseen::subtractions))
      return model_.step(initial(), op, successors);
    model_.step(state, op, successors);
  }
  // A read may show that something was added before it, and so is not without a trace.
  unsigned traits(const Operation& op) const override {
    return unseen_ == Unseen::nothing ? model_.traits(op) : model_.traits(op) & ~unsigned{kPure};
  }

 private:
  Unseen unseen_;
};

// The state is a word, and then a string: the whole of it, or only its end. As in kv itself, strings that no get of the
// part can return any more are one state.
class AnyString final : public Derived {
 public:
  AnyString(const Model& model, const History& history, const std::vector<Call>& calls)
      : Derived(model), values_(history.values()) {
    for (const Call& call : calls) {
      if (call.op.code == str::kGet) gets_.push_back(string_of(call.op.a));
    }
    std::sort(gets_.begin(), gets_.end());
    gets_.erase(std::unique(gets_.begin(), gets_.end()), gets_.end());
  }
  State initial() const override { return pack(kEnd, ""); }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const std::string_view value = string_of(op.a);
    if (op.code == str::kPut) {
      successors.push_back(pack(kWhole, value));
    } else if (op.code == str::kAppend) {
      successors.push_back(state[0] == kUnseen ? state : pack(state[0], string_at(state, 1) + std::string(value)));
    } else if (state[0] == kEnd ? value.ends_with(string_at(state, 1)) : state == pack(kWhole, value)) {
      successors.push_back(pack(kWhole, value));
    }
  }

  State canonical(State state) const override {
    if (state[0] == kUnseen) return state;
    const std::string text = string_at(state, 1);
    const bool whole = state[0] == kWhole;
    const bool seen = std::any_of(gets_.begin(), gets_.end(), [&](std::string_view get) {
      return whole ? get.starts_with(text) : get.find(text) != std::string_view::npos;
    });
    return seen ? state : State{kUnseen};
  }

  std::string describe(const State& state) const override {
    if (state[0] == kUnseen) return "a string that no get returned";
    const std::string text = string_at(state, 1);
    if (state[0] == kEnd && text.empty()) return "unknown";
    std::string out = state[0] == kEnd ? "something that ends in " : "";
    append_json_string(out, text);
    return out;
  }
  std::string describe(const Operation& op) const override { return model_.describe(op); }

 private:
  static constexpr std::uint32_t kWhole = 0, kEnd = 1, kUnseen = 2;

  std::string_view string_of(std::int64_t id) const {
    return id == kNil ? std::string_view() : values_.as_string(static_cast<ValueId>(id));
  }
  static State pack(std::uint32_t what, std::string_view text) {
    State out{what};
    push_string(out, text);
    return out;
  }
  const ValueTable& values_;
  std::vector<std::string_view> gets_;
};

// A register with versions. The state is as that of the model, the version kNotKnown as long as none was seen, with a
// word at the end: 1 when the value is known. Where changes are unseen, the version is the last that was seen, the
// value is what it had at that version, and it is at least so high now.
class AnyVersions final : public Derived {
 public:
  AnyVersions(const Model& model, const View& view)
      : Derived(model), unseen_(view.unseen != Unseen::nothing), from_initial_(view.from_initial) {}
  State initial() const override {
    if (!from_initial_) return at(kNotKnown, kUnknown);
    State out = model_.initial();
    out.push_back(1);
    return out;
  }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const std::int64_t version = number_at(state, 0);
    if (op.code == reg::kRead) {
      if (unseen_ && op.b == kUnknown) return successors.push_back(state);
      if (op.b != kUnknown && !follows(version, op.b, 0)) return;
      const bool same = !unseen_ || op.b == version;
      if (same && !is_value(state, op.a)) return;
      const std::int64_t known = same && state[3] != 0 ? std::int64_t{state[2]} : kUnknown;
      return successors.push_back(at(op.b == kUnknown ? version : op.b, op.a == kUnknown ? known : op.a));
    }
    if (op.b != kUnknown && !follows(version, op.b, 1)) return;
    const bool at_once = !unseen_ || (op.b != kUnknown && op.b - 1 == version);
    if (op.code == reg::kCas && at_once && !is_value(state, op.a >> 32)) return;
    const std::int64_t value = unseen_ && op.b == kUnknown ? kUnknown : op.a & 0xFFFFFFFF;
    successors.push_back(at(op.b == kUnknown ? next(version) : op.b, value));
  }
  // What is seen is known then.
  unsigned traits(const Operation& op) const override { return model_.traits(op) & ~unsigned{kPure}; }

  std::string describe(const State& state) const override {
    const std::int64_t version = number_at(state, 0);
    const char* or_later = unseen_ ? ", or a later one" : "";
    if (version == kNotKnown) return "not known";
    if (state[3] == 0) return "version " + std::to_string(version) + or_later;
    return model_.describe({state.begin(), state.end() - 1}) + or_later;
  }
  std::string describe(const Operation& op) const override { return model_.describe(op); }

 private:
  static constexpr std::int64_t kNotKnown = std::numeric_limits<std::int64_t>::min();
  static State at(std::int64_t version, std::int64_t value) {
    State out;
    push_number(out, version);
    out.push_back(value == kUnknown ? kNil : static_cast<std::uint32_t>(value));
    out.push_back(value != kUnknown);
    return out;
  }
  // Whether a version may be seen when `last` was, and so many changes are certain to have come after it.
  bool follows(std::int64_t last, std::int64_t version, std::int64_t changes) const {
    if (last == kNotKnown) return true;
    return unseen_ ? version - changes >= last : version - changes == last;
  }
  static bool is_value(const State& state, std::int64_t value) {
    return value == kUnknown || state[3] == 0 || state[2] == value;
  }
  static std::int64_t next(std::int64_t version) {
    return version == kNotKnown || version == std::numeric_limits<std::int64_t>::max() ? version : version + 1;
  }
  bool unseen_, from_initial_;
};

}  // namespace

std::unique_ptr<Model> from_any_state(const Model& model, const History& history, const std::vector<Call>& calls,
                                      const View& view) {
  const std::string_view name = model.name();
  if (name == "kv") return std::make_unique<AnyString>(model, history, calls);
  if (name == "versioned-register") return std::make_unique<AnyVersions>(model, view);
  if (name == "counter" || name == "fetch-add") return std::make_unique<AnyCounter>(model, view.unseen);
  if (is_one_register(model) && model.initial().size() == 1) return std::make_unique<AnyRegister>(model);
  switch (type_of(model)) {
    case DataType::log:
    case DataType::mutex:
    case DataType::fifo_queue:
    case DataType::stack:
    case DataType::priority_queue:
      return elements_from_any_state(model, history, view);
    case DataType::set:
    case DataType::unordered_queue:
      return view.elements.empty() ? nullptr : elements_from_any_state(model, history, view);
    default:
      return nullptr;
  }
}

}  // namespace ordeal::lin
