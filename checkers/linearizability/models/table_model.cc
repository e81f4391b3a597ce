// table:FILE, a user's own model as a table of transitions in a JSON file:
//
//   {"initial": "red",
//    "states": ["red", "green"],                                     optional; then every state must be among them
//    "transitions": [["red", "switch", null, "green", "green"],      [state, f, value, result, next state]
//                    {"state": "green", "f": "switch", "next": "red"}]}   value and result left out: any
//
// `value` is what the operation asked for (the invocation's value), `result` what its ok completion carried, nil when
// it carried none. An operation that matches no transition is not legal. A crashed operation fits any result. Several
// transitions may match: then any of them may have happened. An f that no transition names is not understood.

#include <algorithm>
#include <map>

#include "base/files.h"
#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {
namespace {

struct Transition {
  std::uint32_t from = 0;
  std::uint16_t f = 0;
  std::optional<ValueId> value;   // none: any
  std::optional<ValueId> result;  // none: any
  std::uint32_t to = 0;
};

class TableModel final : public ModelBase {
 public:
  TableModel(std::string name, const History& history, std::vector<Value> states, std::uint32_t initial,
             std::vector<std::string> functions, std::vector<Transition> transitions)
      : ModelBase(std::move(name), history, {}),
        states_(std::move(states)),
        initial_(initial),
        functions_(std::move(functions)),
        transitions_(std::move(transitions)) {}

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    const auto found = std::find(functions_.begin(), functions_.end(), history_.f_name(op.invocation));
    if (found == functions_.end()) return does_not_know_table(op);
    Operation out;
    out.code = static_cast<std::uint8_t>(found - functions_.begin());
    out.crashed = !is_ok(op);
    const ValueId value = history_.value(op.invocation);
    out.a = value == kAbsent ? kNil : value;
    out.b = out.crashed ? kUnknown : static_cast<std::int64_t>(result(op));
    return out;
  }

  State initial() const override { return {initial_}; }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const std::size_t before = successors.size();
    for (const Transition& t : transitions_) {
      if (t.from != state[0] || t.f != op.code || (t.value && *t.value != op.a)) continue;
      if (t.result && !op.crashed && *t.result != op.b) continue;
      const State next{t.to};
      if (std::find(successors.begin() + static_cast<std::ptrdiff_t>(before), successors.end(), next) ==
          successors.end()) {
        successors.push_back(next);
      }
    }
  }

  unsigned traits(const Operation& op) const override {
    // An operation none of whose transitions changes the state is a read.
    const bool changes = std::any_of(transitions_.begin(), transitions_.end(), [&](const Transition& t) {
      return t.f == op.code && t.from != t.to && (!t.value || *t.value == op.a) &&
             (op.crashed || !t.result || *t.result == op.b);
    });
    return changes ? 0u : kPure;
  }

  std::string describe(const State& state) const override { return states_[state[0]].to_json(); }
  std::string describe(const Operation& op) const override {
    std::string out = functions_[op.code];
    if (op.a != kNil) out += " " + text(op.a);
    if (!op.crashed) out += " returning " + text(op.b);
    return out;
  }

 private:
  tl::unexpected<Error> does_not_know_table(OperationEvents op) const {
    return fail(ErrorCode::input, "event " + std::to_string(history_.index(op.invocation)) + ": the model " +
                                      std::string(name()) + " has no transition for the operation \"" +
                                      std::string(history_.f_name(op.invocation)) + "\"");
  }
  std::vector<Value> states_;
  std::uint32_t initial_;
  std::vector<std::string> functions_;
  std::vector<Transition> transitions_;
};

// Reads the document into its parts, and says what is wrong with which transition.
class TableReader {
 public:
  TableReader(const History& history, std::string file) : history_(history), file_(std::move(file)) {}

  MadeModel read(std::string_view name, const Value& document, const CheckOptions& options) {
    const Value* transitions = document.find("transitions");
    const Value* initial = document.find("initial");
    if (transitions == nullptr || !transitions->is_list()) return wrong("a list \"transitions\" is needed");
    if (const Value* states = document.find("states")) {
      if (!states->is_list()) return wrong("\"states\" must be a list");
      for (const Value& state : states->items()) (void)add_state(state);
      closed_ = true;
    }
    if (options.initial) initial = &*options.initial;
    if (initial == nullptr) return wrong("an \"initial\" state is needed");
    if (options.initial_unknown) return bad_initial(name, "one of its states", options);
    const auto first = state_number(*initial);
    if (!first) return wrong("the initial state " + initial->to_json() + " is not among \"states\"");
    for (std::size_t i = 0; i < transitions->items().size(); ++i) {
      if (auto read = transition(transitions->items()[i]); !read) {
        return wrong("transition " + std::to_string(i + 1) + ": " + read.error().message);
      }
    }
    return std::make_unique<TableModel>(std::string(name), history_, std::move(states_), *first, std::move(functions_),
                                        std::move(transitions_));
  }

  tl::unexpected<Error> wrong(const std::string& what) const { return fail(ErrorCode::usage, file_ + ": " + what); }

 private:
  std::uint32_t add_state(const Value& state) {
    const auto [place, added] = numbers_.try_emplace(state.to_json(), static_cast<std::uint32_t>(states_.size()));
    if (added) states_.push_back(state);
    return place->second;
  }
  std::optional<std::uint32_t> state_number(const Value& state) {
    if (!closed_) return add_state(state);
    const auto found = numbers_.find(state.to_json());
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
  }

  Result<void> transition(const Value& t) {
    const Value *from = nullptr, *f = nullptr, *value = nullptr, *result = nullptr, *to = nullptr;
    if (t.is_list() && t.items().size() == 5) {
      from = &t.items()[0], f = &t.items()[1], value = &t.items()[2], result = &t.items()[3], to = &t.items()[4];
    } else if (t.is_map()) {
      from = t.find("state"), f = t.find("f"), value = t.find("value"), result = t.find("result"), to = t.find("next");
    }
    if (from == nullptr || f == nullptr || to == nullptr || !f->is_string()) {
      return fail(ErrorCode::usage,
                  "expected [state, f, value, result, next] or a map with state, f and next, found " + t.to_json());
    }
    const auto from_number = state_number(*from), to_number = state_number(*to);
    if (!from_number || !to_number) {
      return fail(ErrorCode::usage, (from_number ? to : from)->to_json() + " is not among \"states\"");
    }
    auto name = std::find(functions_.begin(), functions_.end(), f->string());
    if (name == functions_.end()) {
      if (functions_.size() == 255) return fail(ErrorCode::usage, "more than 255 different f");
      functions_.push_back(f->string());
      name = functions_.end() - 1;
    }
    Transition out{*from_number, static_cast<std::uint16_t>(name - functions_.begin()), {}, {}, *to_number};
    // A value that occurs nowhere in the history has no id, and its transition never fires.
    if (value != nullptr) out.value = history_.values().find(*value);
    if (result != nullptr) out.result = history_.values().find(*result);
    transitions_.push_back(out);
    return {};
  }

  const History& history_;
  std::string file_;
  bool closed_ = false;
  std::vector<Value> states_;
  std::map<std::string, std::uint32_t> numbers_;
  std::vector<std::string> functions_;
  std::vector<Transition> transitions_;
};

}  // namespace

MadeModel make_table(std::string_view name, const History& history, const CheckOptions& options) {
  const std::string file(name.substr(6));
  const auto text = read_text_file(file);
  if (!text) return fail(ErrorCode::usage, text.error().during("the model's table").message);
  auto document = Value::from_json(*text);
  if (!document) return fail(ErrorCode::usage, document.error().during(file).message);
  return TableReader(history, file).read(name, *document, options);
}

}  // namespace ordeal::lin
