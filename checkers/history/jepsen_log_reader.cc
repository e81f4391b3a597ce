// Jepsen's console log: lines like
//   INFO  jepsen.util - 3	:invoke	:read	nil
//   2018-05-01 12:00:00,123{GMT}	INFO	[jepsen worker 3] jepsen.util: 3	:info	:write	4
//   :timed-out
// among whatever else the program logged. After the logger's name stand process, type, function, value and perhaps
// an error, parted by tabs or spaces, the last two in EDN. Lines of other loggers are passed over.

#include <algorithm>
#include <optional>

#include "checkers/history/edn_scanner.h"
#include "checkers/history/event_sink.h"

namespace ordeal {
namespace {

constexpr std::string_view kLogger = "jepsen.util";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// What stands behind the logger's name and its separator, empty for lines of other loggers.
std::string_view message_of(std::string_view line) {
  const std::size_t logger = line.find(kLogger);
  if (logger == std::string_view::npos) return {};
  std::string_view rest = line.substr(logger + kLogger.size());
  while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
  if (rest.empty() || (rest.front() != '-' && rest.front() != ':')) return {};
  rest.remove_prefix(1);
  while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
  return rest;
}

std::string_view next_word(std::string_view& rest) {
  while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
  const std::size_t n = static_cast<std::size_t>(std::find_if(rest.begin(), rest.end(), is_blank) - rest.begin());
  const std::string_view word = rest.substr(0, n);
  rest.remove_prefix(n);
  return word;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The value and the error at the end of the line. Only ok and invoke need a value that can be read: for the others
// it is mostly what went wrong (`:timed-out`).
bool tail(std::string_view rest, EventSink& sink, RawEvent& raw, std::string& problem, std::size_t& offset) {
  EdnScanner scanner(rest, sink.values());
  if (!scanner.more()) return true;
  const bool keyword = scanner.peek() == ':';
  bool read = scanner.value(raw.value);
  ValueId error = kAbsent;
  if (read && scanner.more()) read = scanner.value(error) && !scanner.more() && scanner.ok();
  if (!read) {
    offset = scanner.offset();
    problem = scanner.ok() ? "the end of the line was expected" : scanner.problem();
    if (raw.type == EventType::invoke || raw.type == EventType::ok) return false;
    raw.value = kAbsent;
    EventSink::set_error(raw, Value(rest));
    return true;
  }
  if (error == kAbsent && keyword && raw.type != EventType::invoke && raw.type != EventType::ok) error = raw.value;
  if (error != kAbsent) EventSink::set_error(raw, sink.values().to_value(error));
  return true;
}

}  // namespace

Result<void> read_jepsen_log(std::string_view text, EventSink& sink) {
  RawEvent raw;
  std::uint64_t number = 0;
  std::uint64_t others = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t newline = text.find('\n', at);
    const bool complete = newline != std::string_view::npos;
    std::string_view line = text.substr(at, complete ? newline - at : std::string_view::npos);
    at = complete ? newline + 1 : text.size();
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    std::string_view rest = message_of(line);
    const std::string_view process = next_word(rest);
    const bool client = all_digits(process);
    raw.clear();
    raw.line = number;
    const std::string_view type = next_word(rest);
    const auto column = [&](std::string_view part) { return static_cast<std::size_t>(part.data() - line.data()) + 1; };
    const bool torn = !complete && sink.options().tolerate_torn_end;
    if (!type.starts_with(':') || !EventSink::set_type(raw, type)) {
      if (client && type.starts_with(':') && !torn) {
        return sink.broken(number, column(type),
                           "the type :invoke, :ok, :fail or :info was expected, found " + std::string(type));
      }
      if (line.find_first_not_of(" \t") != std::string_view::npos) ++others;
      continue;
    }
    EventSink::set_process(raw, process);
    std::string_view f = next_word(rest);
    if (f.starts_with(':')) f.remove_prefix(1);
    if (f.empty()) {
      if (torn) break;
      return sink.broken(number, line.size() + 1, "a function like :read was expected, found the end of the line");
    }
    if (const auto id = sink.function(f))
      raw.f = *id;
    else
      return sink.broken(number, column(f), id.error().message);
    std::string problem;
    std::size_t offset = 0;
    if (!tail(rest, sink, raw, problem, offset)) {
      if (client && torn) break;
      if (client) return sink.broken(number, column(rest) + offset, problem);
      raw.value = kAbsent;  // what the nemesis did is often prose
    }
    if (auto added = sink.add(raw); !added) return added;
  }
  if (others != 0) sink.note(std::to_string(others) + " other lines of the log were passed over.");
  return {};
}

}  // namespace ordeal
