#include "checkers/linearizability/proof/element.h"

#include <algorithm>

#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {
namespace {

std::span<const ValueId> shown_by(const Call& read, const History& history) {
  return read.op.a == kNil ? std::span<const ValueId>() : history.values().as_list(static_cast<ValueId>(read.op.a));
}

// The one that the part is about; kNil: none, or several.
std::int64_t element_of(const KeyHistory& history, const Calls& part) {
  std::int64_t out = kNil;
  const auto is_it = [&](std::int64_t element) {
    if (out == kNil) out = element;
    return element == out && element > kNil;
  };
  for (const CallIndex i : part) {
    const Call& call = history.calls[i];
    if (call.op.code != set::kRead) {
      if (!is_it(call.op.a)) return kNil;
      continue;
    }
    for (const ValueId item : shown_by(call, *history.history)) {
      if (!is_it(item)) return kNil;
    }
  }
  return out;
}

}  // namespace

std::optional<ElementRegister> element_register(const KeyHistory& history, const Calls& part) {
  if (type_of(*history.model) != DataType::set) return std::nullopt;
  const std::int64_t element = element_of(history, part);
  if (element == kNil) return std::nullopt;
  Calls calls;
  for (CallIndex i = 0; i < history.calls.size(); ++i) {
    const Call& call = history.calls[i];
    const bool kept = std::binary_search(part.begin(), part.end(), i);
    if (call.op.code == set::kRead ? kept : call.op.a == element) calls.push_back(i);
  }
  return element_register(history, element, calls);
}

std::optional<ElementRegister> element_register(const KeyHistory& history, std::int64_t element, const Calls& calls) {
  if (type_of(*history.model) != DataType::set || !history.model->initial().empty()) return std::nullopt;
  CheckOptions options;
  options.model = "register";
  auto model = make_model(*history.history, options);
  if (!model) return std::nullopt;
  ElementRegister out{std::move(*model), {}, {}};
  out.history = {history.history, out.model.get(), history.key, {}};
  for (const CallIndex i : calls) {
    Call call = history.calls[i];
    if (call.op.code != set::kRead && call.op.a != element) continue;
    bool there = call.op.code == set::kAdd;
    if (call.op.code == set::kContains) there = call.op.b != 0;
    if (call.op.code == set::kRead) {
      const auto shown = shown_by(call, *history.history);
      there = std::any_of(shown.begin(), shown.end(), [&](ValueId item) { return item == element; });
    }
    const bool writes = call.op.code == set::kAdd || call.op.code == set::kRemove;
    if (!writes && call.crashed()) continue;
    call.op.code = writes ? reg::kWrite : reg::kRead;
    call.op.a = there ? element : kNil;  // a register begins with nil
    call.op.b = 0;
    out.history.calls.push_back(call);
    out.places.push_back(i);
  }
  return out;
}

}  // namespace ordeal::lin
