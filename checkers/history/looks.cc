#include "checkers/history/looks.h"

#include <algorithm>

namespace ordeal {

Looks::Looks(const History& history) {
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.process(e) < 0) continue;
    if (history.f(e) != last_) fs_.emplace(history.f_name(e));
    last_ = history.f(e);
    if (history.value(e) != kAbsent) look(history, e);
  }
}

bool Looks::within(std::initializer_list<const char*> allowed) const {
  return std::all_of(fs_.begin(), fs_.end(), [&](const std::string& f) {
    return std::find(allowed.begin(), allowed.end(), f) != allowed.end();
  });
}

void Looks::look(const History& history, EventIndex e) {
  const ValueTable& values = history.values();
  const ValueId value = history.value(e);
  const Value::Kind kind = values.kind(value);
  const std::string_view f = history.f_name(e);
  const bool invocation = history.type(e) == EventType::invoke;
  const bool list = kind == Value::Kind::list;
  if (list) micro_operations(values, values.as_list(value));
  if (f == "write" && list) writes_lists_ = true;
  if (f != "read") return;
  if (invocation) {
    const auto parts = list ? values.as_list(value) : std::span<const ValueId>();
    reads_ask_ = reads_ask_ || kind != Value::Kind::nil;
    tuples_ = tuples_ || (parts.size() == 2 && parts[1] == kNil && history.key(e) == kAbsent);
  } else if (history.type(e) == EventType::ok && kind != Value::Kind::nil) {
    read_kinds_.insert(kind);
    if (list && !values.as_list(value).empty())
      rows_ = rows_ || values.member(values.as_list(value)[0], "sts") != kAbsent;
  }
}

void Looks::micro_operations(const ValueTable& values, std::span<const ValueId> parts) {
  for (const ValueId part : parts) {
    if (values.kind(part) != Value::Kind::list || values.as_list(part).empty()) continue;
    const ValueId f = values.as_list(part)[0];
    if (f == last_micro_ || values.kind(f) != Value::Kind::string) continue;
    last_micro_ = f;
    // Some programs spell the names out.
    const std::string_view name = values.as_string(f);
    micros_.emplace(name == "read" ? "r" : name == "write" ? "w" : name);
  }
}

}  // namespace ordeal
