// Histories in JSON: an object for each event, one a line (our own files), or one after the other, or within one array
// (as elle-cli writes them).
//
// Almost every event is a flat object without escapes, so each is first read by FastEvent, which walks the bytes once,
// interns values on the fly and knows no error messages. Whatever it does not expect (escapes, reals, a mistake) it
// leaves to SlowEvent, which reads the object again with the strict JsonScanner and can say what is wrong and where.
// What makes the fast path fast: names of fields are compared with those at the same place of the event before, and
// numbers are read eight digits at a time. Tested by tests/checkers/reader_test.cc, which reads values both ways, and
// by tests/fuzz/.

#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "checkers/base/json_scanner.h"
#include "checkers/history/event_sink.h"

namespace ordeal {
namespace {

enum class Field { type, f, process, value, key, time, index, error, other };

Field field_of(std::string_view name) {
  switch (name.size()) {
    case 1: return name == "f" ? Field::f : Field::other;
    case 3: return name == "key" ? Field::key : Field::other;
    case 4: return name == "type" ? Field::type : name == "time" ? Field::time : Field::other;
    case 5:
      return name == "value" ? Field::value : name == "index" ? Field::index : name == "error" ? Field::error : Field::other;
    case 7: return name == "process" ? Field::process : Field::other;
    default: return Field::other;
  }
}

class FastEvent {
 public:
  explicit FastEvent(EventSink& sink) : sink_(sink) {}

  // Reads the object that begins at `text[at]` and moves `at` past it. False: nothing is known, `raw` is spoilt.
  bool read(std::string_view text, std::size_t& at, RawEvent& raw) {
    p_ = text.data() + at;
    end_ = text.data() + text.size();
    ids_.clear();
    if (!take('{')) return false;
    space();
    if (!take('}')) {
      std::size_t place = 0;
      do {
        space();
        Field which = Field::other;
        if (!name(place++, which)) return false;
        space();
        if (!field(which, raw)) return false;
        space();
      } while (take(','));
      if (!take('}')) return false;
    }
    at = static_cast<std::size_t>(p_ - text.data());
    return true;
  }

 private:
  static constexpr int kMaxDepth = 32;

  bool take(char c) {
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }
  void space() {
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\n' || *p_ == '\r')) ++p_;
  }
  bool word(std::string_view text) {
    if (static_cast<std::size_t>(end_ - p_) < text.size() || std::memcmp(p_, text.data(), text.size()) != 0) return false;
    p_ += text.size();
    return true;
  }
  bool string(std::string_view& out) {
    if (!take('"')) return false;
    const char* start = p_;
    while (p_ != end_ && *p_ != '"' && *p_ != '\\' && static_cast<unsigned char>(*p_) >= 0x20) ++p_;
    if (p_ == end_ || *p_ != '"') return false;
    out = {start, static_cast<std::size_t>(p_ - start)};
    ++p_;
    return true;
  }
  // The name of the field at a place of the object, with its colon. Events of one file mostly have the same fields in
  // the same order, so the name of the last event at this place is tried first.
  bool name(std::size_t place, Field& which) {
    if (place < shape_.size() && !shape_[place].text.empty() && word(shape_[place].text)) {
      which = shape_[place].field;
      return true;
    }
    const char* start = p_;
    std::string_view text;
    if (!string(text)) return false;
    which = field_of(text);
    space();
    if (!take(':')) return false;
    if (place < shape_.size()) shape_[place] = {{start, static_cast<std::size_t>(p_ - start)}, which};
    return true;
  }
  // The leading digits of the next eight bytes at once: moves past them and gives their number. Requires: eight
  // readable bytes. The idea is Daniel Lemire's ("Quickly parsing eight digits", 2018), extended to fewer digits.
  unsigned eight_digits(std::uint64_t& value) {
    std::uint64_t word = 0;
    std::memcpy(&word, p_, sizeof word);
    const std::uint64_t digits = word ^ 0x3030303030303030ull;  // a digit becomes 0 … 9
    const std::uint64_t others = (digits + 0x7676767676767676ull) | digits;
    const unsigned count = static_cast<unsigned>(std::countr_zero(others & 0x8080808080808080ull)) / 8;
    value = 0;
    if (count == 0) return 0;
    std::uint64_t n = digits << (64 - 8 * count);  // the digits right-aligned, zeros before them
    n = n * 10 + (n >> 8);
    n = (((n & 0x000000FF000000FFull) * 0x000F424000000064ull) + (((n >> 16) & 0x000000FF000000FFull) * 0x0000271000000001ull)) >> 32;
    value = n & 0xFFFFFFFFull;
    p_ += count;
    return count;
  }
  // Up to 18 digits, so that nothing can overflow.
  bool integer(std::int64_t& out) {
    static constexpr std::array<std::int64_t, 9> kTens = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
    const bool negative = take('-');
    const char* start = p_;
    std::int64_t n = 0;
    if constexpr (std::endian::native == std::endian::little) {
      for (unsigned count = 8; count == 8 && end_ - p_ >= 8 && p_ - start <= 16;) {
        std::uint64_t part = 0;
        count = eight_digits(part);
        if (p_ - start > 18) return false;
        n = n * kTens[count] + static_cast<std::int64_t>(part);
      }
    }
    while (p_ != end_ && *p_ >= '0' && *p_ <= '9') {
      if (p_ - start == 18) return false;
      n = n * 10 + (*p_++ - '0');
    }
    const auto digits = p_ - start;
    if (digits == 0 || (digits > 1 && *start == '0')) return false;
    if (p_ != end_ && (*p_ == '.' || *p_ == 'e' || *p_ == 'E')) return false;
    out = negative ? -n : n;
    return true;
  }

  bool value(ValueId& out, int depth) {
    if (p_ == end_) return false;
    switch (*p_) {
      case '"': {
        std::string_view text;
        if (!string(text)) return false;
        out = sink_.values().string(text);
        return true;
      }
      case 'n': out = kNil; return word("null");
      case 't': out = sink_.values().boolean(true); return word("true");
      case 'f': out = sink_.values().boolean(false); return word("false");
      case '[': return items(out, depth);
      case '{': return entries(out, depth);
      default: break;
    }
    std::int64_t i = 0;
    if (!integer(i)) return false;
    out = sink_.values().integer(i);
    return true;
  }
  bool items(ValueId& out, int depth) {
    if (depth == kMaxDepth) return false;
    const std::size_t base = ids_.size();
    ++p_;
    space();
    if (!take(']')) {
      do {
        space();
        ValueId item = kNil;
        if (!value(item, depth + 1)) return false;
        ids_.push_back(item);
        space();
      } while (take(','));
      if (!take(']')) return false;
    }
    out = sink_.values().list({ids_.data() + base, ids_.size() - base});
    ids_.resize(base);
    return true;
  }
  bool entries(ValueId& out, int depth) {
    if (depth == kMaxDepth) return false;
    const std::size_t base = ids_.size();
    ++p_;
    space();
    if (!take('}')) {
      do {
        space();
        std::string_view name;
        ValueId item = kNil;
        if (!string(name)) return false;
        ids_.push_back(sink_.values().string(name));
        space();
        if (!take(':')) return false;
        space();
        if (!value(item, depth + 1)) return false;
        ids_.push_back(item);
        space();
      } while (take(','));
      if (!take('}')) return false;
    }
    out = sink_.values().map({ids_.data() + base, ids_.size() - base});
    ids_.resize(base);
    return true;
  }

  bool field(Field which, RawEvent& raw) {
    std::string_view text;
    switch (which) {
      case Field::type: return string(text) && EventSink::set_type(raw, text);
      case Field::f: {
        if (!string(text) || text.empty()) return false;
        const auto f = sink_.function(text);
        if (f) raw.f = *f;
        return f.has_value();
      }
      case Field::process:
        if (p_ != end_ && *p_ == '"') {
          if (!string(text) || text.empty()) return false;
          EventSink::set_process(raw, text);
        } else {
          std::int64_t number = 0;
          if (!integer(number)) return false;
          EventSink::set_process(raw, number);
        }
        return true;
      case Field::key:
        if (p_ == end_ || *p_ != '"') return value(raw.key, 0);
        if (!string(text)) return false;
        if (key_ == kAbsent || text != key_text_) {
          key_ = sink_.values().string(text);
          key_text_ = text;
        }
        raw.key = key_;
        return true;
      case Field::value: return value(raw.value, 0);
      case Field::time: return integer(raw.time);
      case Field::index: return integer(raw.index);
      case Field::error: {
        ValueId error = kNil;
        if (!value(error, 0)) return false;
        EventSink::set_error(raw, sink_.values().to_value(error));
        return true;
      }
      case Field::other: return other();
    }
    return false;
  }
  // Fields that we do not know are walked over, not interned.
  bool other() {
    std::string_view text;
    std::int64_t number = 0;
    if (p_ == end_) return false;
    switch (*p_) {
      case '"': return string(text);
      case 'n': return word("null");
      case 't': return word("true");
      case 'f': return word("false");
      case '[':
      case '{': return false;
      default: return integer(number);
    }
  }

  EventSink& sink_;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  std::vector<ValueId> ids_;  // the parts of the lists and maps that are being read
  struct Shape {
    std::string_view text;  // `"name":` within the text
    Field field = Field::other;
  };
  std::array<Shape, 12> shape_;  // by place within the object: the field that stood there last
  std::string_view key_text_;    // the last key that was a string, and its id: clients often stay with one key
  ValueId key_ = kAbsent;
};

// Reads one event with the strict scanner. On failure `problem` says what was expected, and the scanner where.
class SlowEvent {
 public:
  SlowEvent(JsonScanner& scanner, EventSink& sink) : scanner_(scanner), sink_(sink) {}

  bool read(RawEvent& raw) {
    if (!scanner_.open('{')) return false;
    std::string_view name;
    while (scanner_.next_key(name)) {
      if (!field(field_of(name), raw)) return false;
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
        if (!f) problem_ = f.error().message;
        else raw.f = *f;
        return f.has_value();
      }
      case Field::process:
        if (value.is_integer()) EventSink::set_process(raw, value.integer());
        else if (value.is_string() && !value.string().empty()) EventSink::set_process(raw, value.string());
        else return wrong("a process, a number or a name,", value);
        return true;
      case Field::key: raw.key = sink_.values().intern(value); return true;
      case Field::value: raw.value = sink_.values().intern(value); return true;
      case Field::time: return integer(value, raw.time, "a time in nanoseconds, an integer,");
      case Field::index: return integer(value, raw.index, "an index, an integer,");
      case Field::error: EventSink::set_error(raw, value); return true;
      case Field::other: break;
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
    const std::size_t stop = hit == nullptr ? text_.size() : static_cast<std::size_t>(static_cast<const char*>(hit) - text_.data());
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
  FastEvent fast(sink);
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
  FastEvent fast(sink);
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
