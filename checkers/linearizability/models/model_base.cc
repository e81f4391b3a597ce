#include "checkers/linearizability/models/model_base.h"

#include <algorithm>
#include <set>

#include "base/names.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {

ModelBase::ModelBase(std::string name, const History& history, std::initializer_list<Function> functions)
    : history_(history), name_(std::move(name)), codes_(history.functions().size(), kNoCode), holds_(codes_.size()) {
  std::vector<std::string> first_spellings;
  std::set<std::uint8_t> seen;
  for (const Function& function : functions) {
    if (seen.insert(function.code).second) first_spellings.emplace_back(function.f);
    const auto id = history.find_function(function.f);
    if (!id) continue;
    codes_[*id] = function.code;
    holds_[*id] = function.holds;
  }
  known_ = joined(first_spellings);
}

tl::unexpected<Error> ModelBase::does_not_know(OperationEvents op) const {
  return fail(ErrorCode::input, "event " + std::to_string(history_.index(op.invocation)) + ": the model " + name_ +
                                    " does not know the operation \"" + std::string(history_.f_name(op.invocation)) +
                                    "\"; it knows " + known_);
}

std::optional<Error> ModelBase::objection(OperationEvents op) const {
  const FunctionId f = history_.f(op.invocation);
  if (codes_[f] == kNoCode) return does_not_know(op).value();
  if (!holds_[f] || !is_ok(op)) return std::nullopt;
  const ValueId returned = history_.value(op.completion);
  if (*holds_[f] == Holds::returned) return returned == kAbsent ? std::optional(not_recorded(op)) : std::nullopt;
  const ValueId asked = history_.value(op.invocation);
  const bool both = asked != kAbsent && asked != kNil && returned != kAbsent && returned != kNil;
  return both && asked != returned ? std::optional(contradiction(op)) : std::nullopt;
}

Error ModelBase::not_recorded(OperationEvents op) const {
  return {ErrorCode::input, "event " + std::to_string(history_.index(op.completion)) + ": what the operation " +
                                history_.describe(op) +
                                " returned was not recorded, so nobody knows whether it is allowed"};
}

Error ModelBase::contradiction(OperationEvents op) const {
  return {ErrorCode::input, "event " + std::to_string(history_.index(op.completion)) +
                                ": the completion contradicts the invocation: " + history_.describe(op)};
}

tl::unexpected<Error> ModelBase::malformed(OperationEvents op, std::string_view expected) const {
  return fail(ErrorCode::input, "event " + std::to_string(history_.index(op.invocation)) + ": the model " + name_ +
                                    " expects " + std::string(expected) + ", found " + history_.describe(op));
}

ValueId ModelBase::argument(OperationEvents op) const {
  ValueId value = history_.value(op.invocation);
  if ((value == kAbsent || value == kNil) && is_ok(op)) value = history_.value(op.completion);
  return value == kAbsent ? kNil : value;
}

ValueId ModelBase::result(OperationEvents op) const {
  const ValueId value = history_.value(op.completion);
  return value == kAbsent ? kNil : value;
}

std::string ModelBase::text(std::int64_t value) const {
  if (value == kUnknown) return "an unknown value";
  // Initial values that occur nowhere in the history have no number in its table.
  if (value < 0 || static_cast<std::size_t>(value) >= values().size()) return "an initial value";
  return values().to_json(static_cast<ValueId>(value));
}

tl::unexpected<Error> bad_initial(std::string_view model, std::string_view expected, const CheckOptions& options) {
  std::string message = "the model " + std::string(model) + " needs " + std::string(expected) + " as initial value";
  message +=
      options.initial_unknown ? "; it cannot start from an unknown one" : ", found " + options.initial->to_json();
  return fail(ErrorCode::usage, std::move(message));
}

}  // namespace ordeal::lin
