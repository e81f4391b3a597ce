// Histories in EDN: a map for each event, one after the other, or within one vector or list, with or without tags
// (`#jepsen.history.Op{…}`). Porcupine's kv logs are EDN, too.

#include "checkers/history/edn_scanner.h"
#include "checkers/history/event_sink.h"
#include "checkers/history/fast_event.h"

namespace ordeal {
namespace {

class EdnReader {
 public:
  EdnReader(std::string_view text, EventSink& sink)
      : text_(text), sink_(sink), scanner_(text, sink.values()), fast_(sink), lines_(text) {}

  // `brackets`: what closes the vectors or lists around the events that are open.
  Result<void> run(std::string& brackets) {
    std::string_view tag;
    bool tagged = false;
    while (scanner_.more()) {
      const char c = scanner_.peek();
      if (c != '#') tagged = false;
      if (c == '[' || c == '(') {
        if (brackets.size() >= 8) return problem("an event (a map) was expected, found one more vector");
        brackets.push_back(c == '[' ? ']' : ')');
        scanner_.step();
      } else if (!brackets.empty() && c == brackets.back()) {
        brackets.pop_back();
        scanner_.step();
      } else if (c == '{') {
        if (auto read = event(); !read) return read;
        if (torn_) return {};
      } else if (c == '#' && scanner_.tag(tag)) {
        tagged = true;
      } else {
        scanner_.complain("an event (a map like {:type :invoke, …}) was expected");
        return problem(scanner_.problem());
      }
    }
    if (!scanner_.ok()) return problem(scanner_.problem());
    if (tagged) brackets.push_back('#');
    return {};
  }

  // What a whole text must be after run().
  Result<void> end(std::string_view brackets) const {
    if (brackets.ends_with('#')) brackets.remove_suffix(1);
    if (brackets.empty() || torn_) return {};
    if (!sink_.options().tolerate_torn_end) {
      return problem(std::string("the end was found before the '") + brackets.back() + "' of the history");
    }
    sink_.note("The file breaks off before the bracket that closes the history.");
    return {};
  }

 private:
  Result<void> problem(std::string_view what) const {
    const TextPlace place = place_of(text_, scanner_.offset());
    return sink_.broken(place.line, place.column, what);
  }

  // Reads the map at the scanner and gives it to the sink.
  Result<void> event() {
    const std::size_t start = scanner_.offset();
    raw_.clear();
    raw_.line = lines_.line_at(start);
    std::size_t end = start;
    if (fast_.read(text_, end, raw_)) {
      scanner_.step(end - start);
      return add();
    }
    const std::uint64_t line = raw_.line;
    raw_.clear();
    raw_.line = line;
    seen_ = 0;
    scanner_.step();
    bool closed = false;
    while (scanner_.more()) {
      if (scanner_.peek() == '}') {
        scanner_.step();
        closed = true;
        break;
      }
      if (!field()) break;
    }
    if (!closed) {
      // What breaks off at the very end is what a killed writer leaves; anything else is a mistake.
      if (sink_.options().tolerate_torn_end && text_.find('\n', start) == std::string_view::npos) {
        sink_.note("The last line breaks off and was left out.");
        torn_ = true;
        return {};
      }
      if (scanner_.ok()) scanner_.complain("no '}' closes the event that begins in line " + std::to_string(raw_.line));
      return problem(scanner_.problem());
    }
    return add();
  }

  Result<void> add() {
    if (!raw_.has_type && !raw_.has_process) {
      return sink_.broken(raw_.line, 0, "an event with :type and :process was expected, found another map");
    }
    return sink_.add(raw_);
  }

  // Reads one key and its value.
  bool field() {
    if (scanner_.peek() != ':' && scanner_.peek() != '"') return scanner_.skip() && value_follows() && scanner_.skip();
    std::string_view name;
    if (!scanner_.name(name)) return false;
    const Field which = field_of(name);
    const unsigned bit = which == Field::other ? 0 : 1u << static_cast<unsigned>(which);
    if ((seen_ & bit) != 0) return scanner_.complain("the field :" + std::string(name) + " stands twice in one event");
    seen_ |= bit;
    if (!value_follows()) return false;
    switch (which) {
      case Field::type:
        if (!scanner_.name(name)) return false;
        return EventSink::set_type(raw_, name) ||
               scanner_.complain("the type :invoke, :ok, :fail or :info was expected, found " + std::string(name));
      case Field::f: {
        if (text_.substr(scanner_.offset()).starts_with("nil")) return scanner_.skip();
        if (!scanner_.name(name)) return false;
        if (name.empty()) return scanner_.complain("the name of a function (:f) was expected, found \"\"");
        const auto f = sink_.function(name);
        if (!f) return scanner_.complain(f.error().message);
        raw_.f = *f;
        return true;
      }
      case Field::process:
        return process();
      case Field::value:
        return value();
      case Field::key:
        return scanner_.value(raw_.key);
      case Field::time:
        return integer(raw_.time, "a time in nanoseconds");
      case Field::index:
        return integer(raw_.index, "an index");
      case Field::error: {
        ValueId error = kNil;
        if (!scanner_.value(error)) return false;
        EventSink::set_error(raw_, sink_.values().to_value(error));
        return true;
      }
      case Field::other:
        return scanner_.skip();
    }
    return false;
  }

  bool value_follows() {
    if (scanner_.more() && scanner_.peek() != '}') return true;
    return scanner_.complain("a map needs a value for each key");
  }

  bool process() {
    const char c = scanner_.peek();
    if (c == ':' || c == '"') {
      std::string_view name;
      if (!scanner_.name(name)) return false;
      if (name.empty()) return scanner_.complain("the name of a process was expected");
      EventSink::set_process(raw_, name);
      return true;
    }
    std::int64_t number = 0;
    if (!integer(number, "a process (a number or a keyword)")) return false;
    EventSink::set_process(raw_, number);
    return true;
  }

  bool integer(std::int64_t& out, std::string_view expected) {
    ValueId id = kNil;
    if (!scanner_.value(id)) return false;
    const ValueTable& values = sink_.values();
    if (id == kNil) return true;
    if (values.kind(id) != Value::Kind::integer) {
      return scanner_.complain(std::string(expected) + " was expected, found " + values.to_json(id));
    }
    out = values.as_integer(id);
    return true;
  }

  bool value() {
    std::string_view tag;
    while (scanner_.peek() == '#' && scanner_.tag(tag)) {
      raw_.tuple = raw_.tuple || tag.find("independent") != std::string_view::npos || tag.ends_with("MapEntry");
      if (!scanner_.more())
        return scanner_.complain("a form was expected after #" + std::string(tag) + ", found the end");
    }
    if (!scanner_.value(raw_.value)) return false;
    sink_.note_plain(raw_.value);
    return true;
  }

  std::string_view text_;
  EventSink& sink_;
  EdnScanner scanner_;
  FastEvent<Notation::edn> fast_;
  LineCounter lines_;
  RawEvent raw_;
  unsigned seen_ = 0;  // the fields of the event so far, a bit each
  bool torn_ = false;
};

}  // namespace

Result<void> read_edn(std::string_view text, EventSink& sink) {
  EdnReader reader(text, sink);
  std::string brackets;
  if (auto read = reader.run(brackets); !read) return read;
  return reader.end(brackets);
}

Result<void> read_edn_part(std::string_view text, EventSink& sink, std::string& brackets) {
  return EdnReader(text, sink).run(brackets);
}

}  // namespace ordeal
