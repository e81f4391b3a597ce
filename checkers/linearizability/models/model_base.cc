#include "checkers/linearizability/models/model_base.h"

#include <algorithm>
#include <set>

#include "base/names.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {

ModelBase::ModelBase(std::string name, const History& history, std::initializer_list<Function> functions)
    : history_(history), name_(std::move(name)), codes_(history.functions().size(), kNoCode) {
  std::vector<std::string> first_spellings;
  std::set<std::uint8_t> seen;
  for (const Function& function : functions) {
    if (seen.insert(function.code).second) first_spellings.emplace_back(function.f);
    if (const auto id = history.find_function(function.f)) codes_[*id] = function.code;
  }
  known_ = joined(first_spellings);
}

tl::unexpected<Error> ModelBase::does_not_know(OperationEvents op) const {
  return fail(ErrorCode::input, "event " + std::to_string(history_.index(op.invocation)) + ": the model " + name_ +
                                    " does not know the operation \"" + std::string(history_.f_name(op.invocation)) +
                                    "\"; it knows " + known_);
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
  return values().to_json(static_cast<ValueId>(value));
}

tl::unexpected<Error> bad_initial(std::string_view model, std::string_view expected, const CheckOptions& options) {
  std::string message = "the model " + std::string(model) + " needs " + std::string(expected) + " as initial value";
  message +=
      options.initial_unknown ? "; it cannot start from an unknown one" : ", found " + options.initial->to_json();
  return fail(ErrorCode::usage, std::move(message));
}

}  // namespace ordeal::lin
