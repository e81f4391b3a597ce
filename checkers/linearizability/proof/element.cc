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
  if (type_of(*history.model) != DataType::set || !history.model->initial().empty()) return std::nullopt;
  const std::int64_t element = element_of(history, part);
  CheckOptions options;
  options.model = "register";
  auto model = make_model(*history.history, options);
  if (element == kNil || !model) return std::nullopt;
  ElementRegister out{std::move(*model), {}, {}};
  out.history = {history.history, out.model.get(), history.key, {}};
  for (CallIndex i = 0; i < history.calls.size(); ++i) {
    Call call = history.calls[i];
    const bool kept = std::binary_search(part.begin(), part.end(), i);
    if (call.op.code == set::kRead ? !kept || call.crashed() : call.op.a != element) continue;
    bool there = call.op.code == set::kAdd;
    if (call.op.code == set::kContains) there = call.op.b != 0;
    if (call.op.code == set::kRead) there = !shown_by(call, *history.history).empty();
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
