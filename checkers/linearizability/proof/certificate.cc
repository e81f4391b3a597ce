#include "checkers/linearizability/proof/certificate.h"

#include <algorithm>
#include <memory>
#include <set>

#include "checkers/linearizability/models/model.h"
#include "checkers/linearizability/models/specification.h"

namespace ordeal {
namespace {

using namespace lin;

// Reads that saw nothing known constrain nothing and are in no certificate.
bool must_be_there(const History& history, const CheckOptions& options, const Specification& type, OperationEvents op) {
  if (history.outcome(op) != EventType::ok) return false;
  const std::string_view f = history.f_name(op.invocation);
  if (options.nil_reads != NilReads::unknown || f != "read") return true;
  return type.observed(history.values().to_value(history.value(op.completion)));
}

}  // namespace

std::string verify_certificate(const History& history, const CheckOptions& options, const CheckResult& result) {
  const ModelInfo* model = find_model(options.model);
  const auto specified = [&] {
    return model == nullptr || model->specify == nullptr ? nullptr : model->specify(options, history);
  };
  const auto type = specified();
  if (type == nullptr) return "not verified: there is no second specification of " + options.model;
  const auto name = [&](EventIndex e) { return "the operation of event " + std::to_string(history.index(e)); };
  std::set<EventIndex> placed;
  for (const auto& [key, order] : result.certificate) {
    const auto machine = specified();
    // Real time: nothing may come after an operation that began after it had returned. Walking backwards, the earliest
    // return seen so far must not lie before the present invocation.
    EventIndex earliest_return = kNoEvent;
    for (auto e = order.rbegin(); e != order.rend(); ++e) {
      if (earliest_return < *e) return name(*e) + " is placed before one that had already returned when it began";
      const EventIndex end = history.partner(*e);
      if (end != kNoEvent && history.type(end) == EventType::ok) earliest_return = std::min(earliest_return, end);
    }
    for (const EventIndex e : order) {
      if (e >= history.size() || history.type(e) != EventType::invoke)
        return "the order names an event that is no invocation";
      if (!placed.insert(e).second) return name(e) + " is placed twice";
      if (history.values().to_value(history.key(e)) != key) return name(e) + " belongs to another key";
      const OperationEvents op{e, history.partner(e)};
      if (history.outcome(op) == EventType::fail) return name(e) + " failed, and is placed all the same";
      const bool ok = history.outcome(op) == EventType::ok;
      const Value asked = history.values().to_value(history.value(e));
      const Value got = ok ? history.values().to_value(history.value(op.completion)) : Value();
      if (!machine->take(std::string(history.f_name(e)), asked, ok ? &got : nullptr, history.process(e))) {
        return name(e) + " (" + history.describe(op) + ") is not possible where it is placed";
      }
    }
  }
  for (const OperationEvents op : history.operations()) {
    if (must_be_there(history, options, *type, op) && placed.count(op.invocation) == 0)
      return name(op.invocation) + " is missing";
  }
  return "";
}

}  // namespace ordeal
