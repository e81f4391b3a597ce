// Histories in JSON: an object for each event, one a line (our own files), or one after the other, or within one array
// (as elle-cli writes them).
//
// Each event is first read by FastEvent. What that leaves, SlowEvent reads again with the strict JsonScanner and can
// say what is wrong and where. Tested by tests/checkers/history/reader_test.cc, which reads values both ways, and by
// tests/fuzz/.

#include <cstring>

#include "base/json_scanner.h"
#include "checkers/history/event_sink.h"
#include "checkers/history/fast_event.h"

namespace ordeal {
namespace {

// Reads one event with the strict scanner. On failure `problem` says what was expected, and the scanner where.
class SlowEvent {
 public:
  SlowEvent(JsonScanner& scanner, EventSink& sink) : scanner_(scanner), sink_(sink) {}

  bool read(RawEvent& raw) {
    if (!scanner_.open('{')) return false;
    std::string_view name;
    unsigned seen = 0;
    while (scanner_.next_key(name)) {
      const Field which = field_of(name);
      const unsigned bit = which == Field::other ? 0 : 1u << static_cast<unsigned>(which);
      if ((seen & bit) != 0) {
        problem_ = "the field \"" + std::string(name) + "\" stands twice in one event";
        value_at_ = scanner_.offset();
        return false;
      }
      seen |= bit;
      if (!field(which, raw)) return false;
    }
    return scanner_.ok();
  }
  [[nodiscard]] std::string problem() const { return problem_.empty() ? scanner_.problem() : problem_; }
  // Where the problem is: a value that cannot be used, or where the scanner stopped.
  [[nodiscard]] std::size_t offset() const { return problem_.empty() ? scanner_.offset() : value_at_; }

 private:
  bool field(Field which, RawEvent& raw) {
    Value value;
    if (which == Field::other) return scanner_.skip();
    scanner_.peek();
    value_at_ = scanner_.offset();
    if (!scanner_.value(value)) return false;
    if (value.is_nil() && which != Field::value) return true;
    switch (which) {
      case Field::type:
        return (value.is_string() && EventSink::set_type(raw, value.string())) ||
               wrong("the type \"invoke\", \"ok\", \"fail\" or \"info\"", value);
      case Field::f: {
        if (!value.is_string() || value.string().empty()) return wrong("the name of a function (f)", value);
        const auto f = sink_.function(value.string());
        if (!f)
          problem_ = f.error().message;
        else
          raw.f = *f;
        return f.has_value();
      }
      case Field::process:
        if (value.is_integer())
          EventSink::set_process(raw, value.integer());
        else if (value.is_string() && !value.string().empty())
          EventSink::set_process(raw, value.string());
        else
          return wrong("a process, a number or a name,", value);
        return true;
      case Field::key:
        raw.key = sink_.values().intern(value);
        return true;
      case Field::value:
        raw.value = sink_.values().intern(value);
        sink_.note_plain(raw.value);
        return true;
      case Field::time:
        return integer(value, raw.time, "a time in nanoseconds, an integer,");
      case Field::index:
        return integer(value, raw.index, "an index, an integer,");
      case Field::error:
        EventSink::set_error(raw, value);
        return true;
      case Field::other:
        break;
    }
    return false;
  }
  bool integer(const Value& value, std::int64_t& out, std::string_view expected) {
    if (!value.is_integer()) return wrong(expected, value);
    out = value.integer();
    return true;
  }
  bool wrong(std::string_view expected, const Value& found) {
    problem_ = std::string(expected) + " was expected, found " + found.to_json();
    return false;
  }

  JsonScanner& scanner_;
  EventSink& sink_;
  std::string problem_;
  std::size_t value_at_ = 0;
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool only_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at == text.size();
}

// Reads the lines of `text` one after the other.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : text_(text) {}
  bool next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    const void* hit = std::memchr(text_.data() + at_, '\n', text_.size() - at_);
    const std::size_t stop =
        hit == nullptr ? text_.size() : static_cast<std::size_t>(static_cast<const char*>(hit) - text_.data());
    line = text_.substr(at_, stop - at_);
    complete_ = hit != nullptr;
    at_ = stop + 1;
    ++number_;
    return true;
  }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  // The line ends with a line end, not with the file.
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::uint64_t number_ = 0;
  bool complete_ = false;
};

}  // namespace

Result<void> read_json_lines(std::string_view text, EventSink& sink) {
  sink.reserve(text.size() / 80);
  LineReader lines(text);
  FastEvent<Notation::json> fast(sink);
  RawEvent raw;
  std::string_view line;
  while (lines.next(line)) {
    std::size_t at = 0;
    while (at < line.size() && is_space(line[at])) ++at;
    if (at == line.size()) continue;
    raw.clear();
    raw.line = lines.number();
    if (!fast.read(line, at, raw) || !only_space(line, at)) {
      raw.clear();
      raw.line = lines.number();
      JsonScanner scanner(line);
      SlowEvent slow(scanner, sink);
      if (!slow.read(raw) || !scanner.end()) {
        if (!lines.complete() && sink.options().tolerate_torn_end) {
          sink.note("The last line, " + std::to_string(lines.number()) + ", breaks off and was left out.");
          return {};
        }
        return sink.broken(lines.number(), slow.offset() + 1, slow.problem());
      }
    }
    if (auto added = sink.add(raw); !added) return added;
  }
  return {};
}

Result<void> read_json_stream(std::string_view text, EventSink& sink) {
  LineCounter lines(text);
  FastEvent<Notation::json> fast(sink);
  RawEvent raw;
  std::size_t at = 0;
  const auto space = [&] {
    while (at < text.size() && is_space(text[at])) ++at;
  };
  const auto broken = [&](std::size_t offset, const std::string& what) -> Result<void> {
    const TextPlace place = place_of(text, offset);
    return sink.broken(place.line, place.column, what);
  };
  const auto torn = [&](std::size_t offset) {
    return sink.options().tolerate_torn_end && text.find('\n', offset) == std::string_view::npos;
  };
  space();
  const bool array = at < text.size() && text[at] == '[';
  if (array) ++at;
  bool first = true;
  for (;;) {
    space();
    if (at == text.size() || (array && text[at] == ']')) break;
    if (!first && text[at] == ',') {
      ++at;
      space();
    } else if (!first && array) {
      return broken(at, "',' or ']' was expected between events");
    }
    first = false;
    raw.clear();
    raw.line = lines.line_at(at);
    if (!fast.read(text, at, raw)) {
      raw.clear();
      raw.line = lines.line_at(at);
      JsonScanner scanner(text.substr(at));
      SlowEvent slow(scanner, sink);
      if (!slow.read(raw)) {
        if (torn(at)) {
          sink.note("The last line breaks off and was left out.");
          return {};
        }
        return broken(at + slow.offset(), slow.problem());
      }
      at += scanner.offset();
    }
    if (auto added = sink.add(raw); !added) return added;
  }
  if (array && at == text.size()) {
    if (!sink.options().tolerate_torn_end) return broken(at, "the end was found before the ']' of the history");
    sink.note("The file breaks off before the bracket that closes the history.");
  } else if (array && !only_space(text, at + 1)) {
    return broken(at + 1, "the end was expected after the array of events");
  }
  return {};
}

}  // namespace ordeal
