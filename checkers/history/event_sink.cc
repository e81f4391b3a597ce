#include "checkers/history/event_sink.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <utility>

namespace ordeal {
namespace {

constexpr std::size_t kEventsALook = 4096;

// "timed-out", "connection_refused": a class of errors rather than a text for people.
bool looks_like_kind(std::string_view text) {
  return !text.empty() && text.size() <= 48 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/' || c == '?' || c == '!';
  });
}

std::string text_of(const Value& value) { return value.is_string() ? value.string() : value.to_json(); }

}  // namespace

void RawEvent::clear() {
  has_process = has_type = has_error = tuple = false;
  type = EventType::invoke;
  f = kSameFunction;
  process = 0;
  index = time = -1;
  key = value = kAbsent;
  line = 0;
  process_name.clear();
}

bool EventSink::set_type(RawEvent& event, std::string_view text) {
  if (text.starts_with(':')) text.remove_prefix(1);
  const auto type = event_type(text);
  if (!type) return false;
  event.type = *type;
  event.has_type = true;
  return true;
}

void EventSink::set_process(RawEvent& event, std::string_view text) {
  text = without_colons(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) {
    set_process(event, number);
    return;
  }
  event.has_process = true;
  event.process_name = text;
}

void EventSink::set_process(RawEvent& event, std::int64_t number) {
  event.has_process = true;
  event.process = number;
  event.process_name.clear();
  if (number < 0 || number >= kFirstNamedClient) event.process_name = std::to_string(number);
}

void EventSink::set_error(RawEvent& event, const Value& error) {
  if (error.is_nil()) return;
  event.has_error = true;
  event.error = {};
  const auto take = [&](const Value* kind, const Value* message) {
    if (kind != nullptr) event.error.kind = text_of(*kind);
    if (message != nullptr && !message->is_nil()) event.error.message = text_of(*message);
  };
  if (error.is_map()) {
    const Value* kind = error.find("kind");
    if (kind == nullptr) kind = error.find("type");
    const Value* message = error.find("message");
    take(kind, message);
    if (kind == nullptr || (message == nullptr && error.entries().size() > 1)) event.error.message = error.to_json();
  } else if (error.is_list() && !error.items().empty() && error.items().front().is_string() &&
             looks_like_kind(error.items().front().string())) {
    // Jepsen's clients write [:kind detail …].
    const auto& items = error.items();
    event.error.kind = items.front().string();
    if (items.size() == 2) {
      event.error.message = text_of(items[1]);
    } else if (items.size() > 2) {
      event.error.message = Value(Value::List(items.begin() + 1, items.end())).to_json();
    }
  } else if (error.is_string() && looks_like_kind(error.string())) {
    event.error.kind = error.string();
  } else {
    event.error.message = text_of(error);
  }
}

// Events with a process that has a name are the nemesis' or those of other machinery, unless they are a client's:
// clients invoke before they complete, machinery reports with `info` alone.
Result<ProcessId> HistorySink::process(const RawEvent& event) {
  if (event.process_name.empty()) return static_cast<ProcessId>(event.process);
  if (event.process_name.starts_with("nemesis")) return HistoryBuilder::named_process(event.process_name);
  if (const auto found = named_.find(event.process_name); found != named_.end()) return found->second;
  ProcessId id = 0;
  if (event.type == EventType::info) {
    id = HistoryBuilder::named_process(event.process_name);
  } else {
    auto client = HistoryBuilder::named_client(event.process_name);
    if (!client) return client;
    id = *client;
  }
  named_.emplace(event.process_name, id);
  return id;
}

// Keeps what comes before the first invocation, for a file may hold completions alone.
Result<void> HistorySink::give(const Event& event) {
  if (!invoked_ && event.type == EventType::invoke) {
    if (auto came = invocation_came(); !came) return came;
  }
  if (!invoked_) {
    completions_alone_ = completions_alone_ || event.process >= 0;
    before_.push_back(event);
    return {};
  }
  return HistoryBuilder::add(event);
}

Result<void> HistorySink::invocation_came() {
  invoked_ = true;
  for (const Event& event : before_) {
    if (auto added = HistoryBuilder::add(event); !added) return added;
  }
  before_ = {};
  return {};
}

// A history of completions alone, as Elle's examples are written: nobody knows when an operation was invoked, so it is
// taken for invoked as early as it can have been, right after what its process completed before, and nothing is
// concluded from real time beyond that. One completion alone that is no transaction is more likely what is left of a
// larger file.
Result<void> HistorySink::complete_alone() {
  const auto add_event = [&](const Event& event) -> Result<void> {
    if (event.f == kSameFunction) return broken(event.line, 0, "the event has no function (f)");
    if (auto added = HistoryBuilder::add(event); !added) return broken(event.line, 0, added.error().message);
    return {};
  };
  std::map<ProcessId, std::vector<std::size_t>>
      left;  // the events of each client that were not invoked, the next one last
  for (std::size_t i = before_.size(); i-- > 0;) {
    if (before_[i].process >= 0) left[before_[i].process].push_back(i);
  }
  const Event& first = before_[left.begin()->second.back()];
  const bool transaction = first.value != kAbsent && values().kind(first.value) == Value::Kind::list;
  if (left.size() == 1 && left.begin()->second.size() == 1 && !transaction) return add_event(first);
  const auto invoke_next = [&](std::vector<std::size_t>& of_process) -> Result<void> {
    if (of_process.empty()) return {};
    Event event = before_[of_process.back()];
    of_process.pop_back();
    if (event.type == EventType::ok) event.value = kAbsent;
    event.type = EventType::invoke;
    event.time = event.index = -1;
    event.error.reset();
    return add_event(event);
  };
  for (auto& [process, events] : left) {
    if (auto added = invoke_next(events); !added) return added;
  }
  for (Event& event : before_) {
    event.index = -1;
    if (auto added = add_event(event); !added) return added;
    if (event.process < 0) continue;
    if (auto added = invoke_next(left[event.process]); !added) return added;
  }
  note(
      "There is no invocation: each operation is taken for one that began when its process' operation before had "
      "ended, "
      "and events are numbered anew.");
  return {};
}

// Without processes an operation is told by its function and value. Nothing is known of the order of one client's
// operations then, so each gets a process of its own.
Result<ProcessId> HistorySink::process_of_nobody(const RawEvent& event) {
  if (event.type == EventType::invoke) {
    auto id = HistoryBuilder::named_client("nobody-" + std::to_string(++nobodys_));
    if (id) open_.push_back({event.f, event.value, *id});
    return id;
  }
  const auto of_f = [&](const Nobodys& one) { return event.f == kSameFunction || one.f == event.f; };
  auto found = std::find_if(open_.begin(), open_.end(),
                            [&](const Nobodys& one) { return of_f(one) && one.value == event.value; });
  if (found == open_.end()) {
    found = std::find_if(open_.begin(), open_.end(), of_f);
    if (found == open_.end() && !invoked_) return HistoryBuilder::named_client("nobody-" + std::to_string(++nobodys_));
    if (found == open_.end())
      return fail(ErrorCode::input, "the event has no process, and completes nothing that was invoked");
    if (std::find_if(found + 1, open_.end(), of_f) != open_.end()) {
      return fail(
          ErrorCode::input,
          "the event has no process, and several operations that it may complete are open; a process was expected");
    }
  }
  const ProcessId id = found->process;
  open_.erase(found);
  return id;
}

// Turns a [key value] tuple into key and value. Returns what is wrong, empty when nothing is.
std::string HistorySink::split_tuple(RawEvent& event) {
  const ValueTable& table = values();
  const bool fits =
      event.value != kAbsent && table.kind(event.value) == Value::Kind::list && table.as_list(event.value).size() == 2;
  if (fits) {
    const auto items = table.as_list(event.value);
    event.key = items[0];
    event.value = items[1];
  } else if (event.type == EventType::invoke) {
    return "with --independent, the value of an invocation must be a tuple [key value], found " +
           table.to_json(event.value);
  }
  return {};
}

Result<void> HistorySink::add(RawEvent& raw) {
  if ((HistoryBuilder::size() + before_.size()) % kEventsALook == 0) options_.limits.check();
  if (!raw.has_type) return broken(raw.line, 0, "the event has no type; invoke, ok, fail or info was expected");
  const auto id = raw.has_process ? process(raw) : process_of_nobody(raw);
  if (!id) return broken(raw.line, 0, id.error().message);
  if (raw.key == kNil) raw.key = kAbsent;
  if (*id >= 0 && raw.key == kAbsent && (raw.tuple || options_.independent)) {
    if (const std::string problem = split_tuple(raw); !problem.empty()) return broken(raw.line, 0, problem);
  }
  if (raw.f == kSameFunction && (raw.type == EventType::invoke || *id < 0 || !invoked_)) {
    // Elle's own examples leave `:f :txn` out.
    const bool txn = raw.value != kAbsent && values().kind(raw.value) == Value::Kind::list;
    if (!txn && *id >= 0 && raw.type == EventType::invoke) return broken(raw.line, 0, "the event has no function (f)");
    if (txn || *id < 0) {
      const auto f = function(*id >= 0 ? "txn" : "nemesis");
      if (!f) return fail(f.error());
      raw.f = *f;
    }
  }
  Event event;
  event.index = raw.index;
  event.time = raw.time;
  event.process = *id;
  event.type = raw.type;
  event.f = raw.f;
  event.key = raw.key;
  event.value = raw.value;
  event.line = raw.line;
  if (raw.has_error) event.error = std::move(raw.error);
  if (auto added = give(event); !added) {
    return fail(ErrorCode::input, name_ + ":" + std::to_string(raw.line) + ": " + added.error().message);
  }
  return {};
}

tl::unexpected<Error> EventSink::broken(std::uint64_t line, std::size_t column, std::string_view what) const {
  std::string text = name_ + ":" + std::to_string(line);
  if (column != 0) text += ":" + std::to_string(column);
  text += ": ";
  text += what;
  return fail(ErrorCode::input, std::move(text));
}

Result<ReadHistory> HistorySink::finish(HistoryFormat format) {
  if (auto added = completions_alone_ && !invoked_ ? complete_alone() : invocation_came(); !added)
    return tl::unexpected<Error>(added.error());
  if (HistoryBuilder::size() == 0) {
    return fail(ErrorCode::input, name_ + ": holds no events (read as " + std::string(ordeal::name(format)) + ")");
  }
  if (nobodys_ > 0) note("Events name no process: each operation is taken for one of another client.");
  for (std::string& remark : HistoryBuilder::remarks()) note(std::move(remark));
  const bool apart = transactions_ && transactions_->stored();
  return ReadHistory{HistoryBuilder::finish(), format, std::move(notes_), apart};
}

TextPlace place_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  TextPlace place;
  place.line += static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t newline = before.rfind('\n');
  place.column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
  return place;
}

std::uint64_t LineCounter::line_at(std::size_t offset) {
  const std::size_t stop = std::min(offset, text_.size());
  while (at_ < stop) {
    const void* hit = std::memchr(text_.data() + at_, '\n', stop - at_);
    if (hit == nullptr) break;
    at_ = static_cast<std::size_t>(static_cast<const char*>(hit) - text_.data()) + 1;
    ++line_;
  }
  at_ = std::max(at_, stop);
  return line_;
}

}  // namespace ordeal
