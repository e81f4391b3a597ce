#include "checkers/history/history.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "checkers/history/placement.h"

namespace ordeal {

std::string_view name(EventType type) {
  switch (type) {
    case EventType::invoke:
      return "invoke";
    case EventType::ok:
      return "ok";
    case EventType::fail:
      return "fail";
    case EventType::info:
      return "info";
  }
  return "info";
}

std::optional<EventType> event_type(std::string_view text) {
  if (text.empty()) return std::nullopt;
  switch (text.front()) {
    case 'i':
      if (text == "invoke") return EventType::invoke;
      if (text == "info") return EventType::info;
      break;
    case 'o':
      if (text == "ok") return EventType::ok;
      break;
    case 'f':
      if (text == "fail") return EventType::fail;
      break;
    default:
      break;
  }
  return std::nullopt;
}

const EventError* History::error(EventIndex e) const {
  const auto found = std::lower_bound(error_at_.begin(), error_at_.end(), e);
  if (found == error_at_.end() || *found != e) return nullptr;
  return &errors_[error_id_[static_cast<std::size_t>(found - error_at_.begin())]];
}

ValueId History::operation_value(OperationEvents op) const {
  if (op.completion != kNoEvent && type_[op.completion] == EventType::ok && value_[op.completion] != kAbsent) {
    return value_[op.completion];
  }
  return value_[op.invocation];
}

EventType History::outcome(OperationEvents op) const {
  return op.completion == kNoEvent ? EventType::info : type_[op.completion];
}

std::vector<OperationEvents> History::operations() const {
  std::vector<OperationEvents> out;
  out.reserve(size() / 2 + 1);
  for (EventIndex e = 0; e < size(); ++e) {
    if (type_[e] == EventType::invoke && process_[e] >= 0) out.push_back({e, partner_[e]});
  }
  return out;
}

std::optional<FunctionId> History::find_function(std::string_view wanted) const {
  for (std::size_t i = 0; i < functions_.size(); ++i) {
    const std::string& one = functions_[i];
    if (one.size() == wanted.size() && std::memcmp(one.data(), wanted.data(), one.size()) == 0) {
      return static_cast<FunctionId>(i);
    }
  }
  return std::nullopt;
}

std::string History::process_name(ProcessId process) const {
  if (process >= 0) {
    if (const auto named = client_names_.find(process); named != client_names_.end()) return named->second;
    return std::to_string(process);
  }
  if (process == kNemesis) return "nemesis";
  return process_names_[static_cast<std::size_t>(-2 - process)];
}

std::string History::node_of(ProcessId process) const {
  if (process < 0 || process >= kFirstNamedClient || worker_nodes_.empty()) return {};
  return worker_nodes_[worker_of(process, worker_nodes_.size())];
}

std::string History::client(ProcessId process) const {
  const std::string node = node_of(process);
  return "process " + process_name(process) + (node.empty() ? "" : " on " + node);
}

std::string History::describe(OperationEvents op) const {
  std::string out = process_name(process_[op.invocation]);
  out += ' ';
  out += f_name(op.invocation);
  if (key_[op.invocation] != kAbsent) out += ' ' + values_.to_json(key_[op.invocation]);
  if (value_[op.invocation] != kAbsent && value_[op.invocation] != kNil) {
    out += ' ' + values_.to_json(value_[op.invocation]);
  }
  out += " -> ";
  out += name(outcome(op));
  if (outcome(op) == EventType::ok && value_[op.completion] != kAbsent &&
      value_[op.completion] != value_[op.invocation]) {
    out += ' ' + values_.to_json(value_[op.completion]);
  }
  return out;
}

HistoryBuilder::HistoryBuilder() = default;

Result<FunctionId> HistoryBuilder::function(std::string_view wanted) {
  if (const auto found = history_.find_function(wanted)) return *found;
  if (history_.functions_.size() >= std::numeric_limits<FunctionId>::max()) {
    return fail(ErrorCode::input, "more than 65,535 different functions (f) in one history");
  }
  history_.functions_.emplace_back(wanted);
  return static_cast<FunctionId>(history_.functions_.size() - 1);
}

ProcessId HistoryBuilder::named_process(std::string_view wanted) {
  if (wanted == "nemesis") return kNemesis;
  auto& names = history_.process_names_;
  const auto found = std::find(names.begin(), names.end(), wanted);
  const auto place = static_cast<ProcessId>(found - names.begin());
  if (found == names.end()) names.emplace_back(wanted);
  return -2 - place;
}

Result<ProcessId> HistoryBuilder::named_client(std::string_view wanted) {
  if (const auto found = client_ids_.find(wanted); found != client_ids_.end()) return found->second;
  if (client_ids_.size() >= (1u << 20)) return fail(ErrorCode::input, "more than 2^20 clients with names");
  const ProcessId process = kFirstNamedClient + static_cast<ProcessId>(client_ids_.size());
  client_ids_.emplace(wanted, process);
  history_.client_names_.emplace(process, wanted);
  return process;
}

void HistoryBuilder::reserve(std::size_t events) {
  history_.type_.reserve(events);
  history_.process_.reserve(events);
  history_.f_.reserve(events);
  history_.key_.reserve(events);
  history_.value_.reserve(events);
  history_.partner_.reserve(events);
  history_.time_.reserve(events);
  line_.reserve(events);
}

std::string HistoryBuilder::where(EventIndex e) const {
  std::string out = "event " + std::to_string(history_.index(e));
  if (e < line_.size() && line_[e] != 0) out += " (line " + std::to_string(line_[e]) + ")";
  return out;
}

std::string HistoryBuilder::where(const Event& event) const {
  std::string out = "event " + std::to_string(event.index >= 0 ? event.index : static_cast<std::int64_t>(size()));
  if (event.line != 0) out += " (line " + std::to_string(event.line) + ")";
  return out;
}

Result<void> HistoryBuilder::add(const Event& event) {
  History& h = history_;
  if (h.size() >= kNoEvent) return fail(ErrorCode::input, "a history holds at most 4,294,967,295 events");
  const auto e = static_cast<EventIndex>(h.size());

  if (event.index < 0 && last_index_ == std::numeric_limits<std::int64_t>::max()) {
    return fail(ErrorCode::input, where(event) + ": no index is left after " + std::to_string(last_index_));
  }

  EventIndex partner = kNoEvent;
  FunctionId f = event.f;
  if (f == kSameFunction && (event.process < 0 || event.type == EventType::invoke)) {
    return fail(ErrorCode::input, where(event) + ": the function (f) is missing");
  }
  if (event.process >= 0) {
    static constexpr ProcessId kDense = 1 << 18;
    EventIndex* open = nullptr;
    if (event.process < kDense) {
      if (static_cast<std::size_t>(event.process) >= open_.size()) {
        open_.resize(static_cast<std::size_t>(event.process) + 1, kNoEvent);
      }
      open = &open_[static_cast<std::size_t>(event.process)];
    } else {
      open = &open_other_.try_emplace(event.process, kNoEvent).first->second;
    }
    if (event.type == EventType::invoke) {
      if (*open != kNoEvent) {
        return fail(ErrorCode::input, where(event) + ": process " + h.process_name(event.process) +
                                          " invokes an operation while its operation of " + where(*open) +
                                          " is still open");
      }
      *open = e;
    } else {
      if (*open == kNoEvent) {
        return fail(ErrorCode::input, where(event) + ": process " + h.process_name(event.process) +
                                          " completes an operation (" + std::string(name(event.type)) +
                                          ") that it never invoked");
      }
      if (f == kSameFunction) f = h.f_[*open];
      if (h.f_[*open] != f) {
        return fail(ErrorCode::input, where(event) + ": process " + h.process_name(event.process) + " completes " +
                                          h.functions_[f] + ", but its open operation of " + where(*open) + " is " +
                                          h.functions_[h.f_[*open]]);
      }
      if (event.key != kAbsent && h.key_[*open] != kAbsent && event.key != h.key_[*open]) {
        return fail(ErrorCode::input, where(event) + ": process " + h.process_name(event.process) +
                                          " completes an operation on key " + h.values_.to_json(event.key) +
                                          ", but its open operation of " + where(*open) + " is on key " +
                                          h.values_.to_json(h.key_[*open]));
      }
      partner = *open;
      h.partner_[*open] = e;
      *open = kNoEvent;
    }
  }

  if (event.time >= 0) {
    if (event.time < last_time_ && times_back_++ == 0) first_time_back_ = where(event);
    last_time_ = event.time;
    if (h.time_.empty()) h.time_.resize(h.size(), -1);
  }
  if (event.index >= 0) {
    if (event.index <= last_index_ && indices_back_++ == 0) first_index_back_ = where(event);
    last_index_ = std::max(last_index_, event.index);
    if (h.index_.empty() && event.index != e) {
      for (EventIndex i = 0; i < e; ++i) h.index_.push_back(i);
      h.index_.push_back(event.index);
    } else if (!h.index_.empty()) {
      h.index_.push_back(event.index);
    }
  } else if (!h.index_.empty()) {
    h.index_.push_back(++last_index_);
  } else {
    last_index_ = e;
  }
  if (event.line != 0 && line_.empty()) line_.resize(h.size(), 0);

  h.type_.push_back(event.type);
  h.process_.push_back(event.process);
  h.f_.push_back(f);
  // A key may be given once, on the invocation only or on the completion only.
  ValueId key = event.key;
  if (partner != kNoEvent) {
    if (key == kAbsent) key = h.key_[partner];
    if (h.key_[partner] == kAbsent) h.key_[partner] = key;
  }
  h.key_.push_back(key);
  h.value_.push_back(event.value);
  h.partner_.push_back(partner);
  if (!h.time_.empty() || event.time >= 0) h.time_.push_back(event.time);
  if (!line_.empty() || event.line != 0) line_.push_back(event.line);
  if (event.error) {
    // Few are different, and there may be one for every third operation.
    const auto [known, fresh] = error_ids_.try_emplace(std::pair(event.error->kind, event.error->message),
                                                       static_cast<std::uint32_t>(h.errors_.size()));
    if (fresh) h.errors_.push_back(*event.error);
    h.error_at_.push_back(e);
    h.error_id_.push_back(known->second);
  }
  return {};
}

std::vector<std::string> HistoryBuilder::remarks() const {
  std::vector<std::string> out;
  const auto times = [](std::size_t n) { return n == 1 ? std::string("once") : std::to_string(n) + " times"; };
  if (times_back_ > 0)
    out.push_back("The time steps back " + times(times_back_) + ", first at " + first_time_back_ +
                  "; the order of events is that of the file.");
  if (indices_back_ > 0)
    out.push_back("The index does not grow " + times(indices_back_) + ", first at " + first_index_back_ +
                  "; events are numbered by their place.");
  return out;
}

History HistoryBuilder::finish() {
  if (indices_back_ > 0) history_.index_.clear();
  return std::move(history_);
}

}  // namespace ordeal
