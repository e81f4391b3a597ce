#pragma once
// FastEvent: reads one event of almost any file in one walk over its bytes, and gives up on the rest.
//
// Almost every event is a flat object without escapes. FastEvent interns values on the fly and knows no error messages;
// whatever it does not expect (escapes, reals, nested maps in EDN, a mistake) it leaves to the strict reader of the
// format, which reads the event again and can say what is wrong and where. What makes it fast: names of fields are
// compared with those at the same place of the event before, numbers are read eight digits at a time, and transactions
// go to TransactionValues. JSON and EDN share it: they differ in how names are spelled and in that EDN's commas are
// white space.
//
// Tested by tests/checkers/history/reader_test.cc, which reads values both ways, and by tests/fuzz/. Thread-safety: one
// thread.

#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <vector>

#include "checkers/history/event_sink.h"
#include "checkers/history/transaction_values.h"

namespace ordeal {

enum class Field { type, f, process, value, key, time, index, error, other };

// The field that a name means.
inline Field field_of(std::string_view name) {
  switch (name.size()) {
    case 1:
      return name == "f" ? Field::f : Field::other;
    case 3:
      return name == "key" ? Field::key : Field::other;
    case 4:
      return name == "type" ? Field::type : name == "time" ? Field::time : Field::other;
    case 5:
      return name == "value"   ? Field::value
             : name == "index" ? Field::index
             : name == "error" ? Field::error
                               : Field::other;
    case 7:
      return name == "process" ? Field::process : Field::other;
    default:
      return Field::other;
  }
}

enum class Notation { json, edn };

template <Notation kNotation>
class FastEvent {
 public:
  explicit FastEvent(EventSink& sink) : sink_(sink), values_(sink.values()), transactions_(sink.transactions()) {}

  // Reads the object that begins at `text[at]` and moves `at` past it. False: nothing is known, `raw` is spoilt.
  bool read(std::string_view text, std::size_t& at, RawEvent& raw) {
    p_ = text.data() + at;
    end_ = text.data() + text.size();
    ids_.clear();
    if (!take('{')) return false;
    space();
    std::size_t place = 0;
    unsigned seen = 0;
    for (bool first = true; !take('}'); first = false) {
      if (!first && !between()) return false;
      Field which = Field::other;
      if (!name(place++, which)) return false;
      // A field that stands twice is a mistake.
      const unsigned bit = which == Field::other ? 0 : 1u << static_cast<unsigned>(which);
      if ((seen & bit) != 0) return false;
      seen |= bit;
      space();
      if (!field(which, raw)) return false;
      space();
    }
    at = static_cast<std::size_t>(p_ - text.data());
    return true;
  }

 private:
  static constexpr int kMaxDepth = 32;
  static constexpr bool kEdn = kNotation == Notation::edn;

  bool take(char c) {
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }
  void space() {
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\n' || *p_ == '\r' || (kEdn && *p_ == ','))) ++p_;
  }
  // What stands between two items: a comma in JSON, white space in EDN (which was passed already).
  bool between() {
    if constexpr (kEdn) return true;
    if (!take(',')) return false;
    space();
    return true;
  }
  // The end of a keyword, symbol or number in EDN.
  bool delimited() const {
    if constexpr (!kEdn) return true;
    return p_ == end_ || *p_ == ' ' || *p_ == ',' || *p_ == ']' || *p_ == '}' || *p_ == '\n' || *p_ == '\t' ||
           *p_ == '\r';
  }
  // A text in quotes or, in EDN, a keyword of plain letters.
  bool text(std::string_view& out) {
    if constexpr (kEdn) {
      if (p_ != end_ && *p_ == ':') {
        const char* start = ++p_;
        while (p_ != end_ && ((*p_ >= 'a' && *p_ <= 'z') || (*p_ >= 'A' && *p_ <= 'Z') || (*p_ >= '0' && *p_ <= '9') ||
                              *p_ == '-' || *p_ == '_' || *p_ == '.' || *p_ == '/'))
          ++p_;
        out = {start, static_cast<std::size_t>(p_ - start)};
        return p_ != start && delimited();
      }
    }
    return string(out);
  }
  bool word(std::string_view text) {
    if (static_cast<std::size_t>(end_ - p_) < text.size() || std::memcmp(p_, text.data(), text.size()) != 0)
      return false;
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
    std::string_view spelled;
    if (!text(spelled)) return false;
    which = field_of(spelled);
    space();
    if (!kEdn && !take(':')) return false;
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
    n = (((n & 0x000000FF000000FFull) * 0x000F424000000064ull) +
         (((n >> 16) & 0x000000FF000000FFull) * 0x0000271000000001ull)) >>
        32;
    value = n & 0xFFFFFFFFull;
    p_ += count;
    return count;
  }
  // Up to 18 digits, so that nothing can overflow.
  bool integer(std::int64_t& out) {
    static constexpr std::array<std::int64_t, 9> kTens = {1,       10,        100,        1000,       10'000,
                                                          100'000, 1'000'000, 10'000'000, 100'000'000};
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
    if (p_ != end_ && (kEdn ? !delimited() : *p_ == '.' || *p_ == 'e' || *p_ == 'E')) return false;
    out = negative ? -n : n;
    return true;
  }

  bool value(ValueId& out, int depth) {
    if (p_ == end_) return false;
    switch (*p_) {
      case ':':
        if (!kEdn) return false;
        [[fallthrough]];
      case '"': {
        std::string_view spelled;
        if (!text(spelled)) return false;
        out = values_.string(spelled);
        return true;
      }
      case 'n':
        out = kNil;
        return word(kEdn ? "nil" : "null") && delimited();
      case 't':
        out = values_.boolean(true);
        return word("true") && delimited();
      case 'f':
        out = values_.boolean(false);
        return word("false") && delimited();
      case '[':
        return items(out, depth);
      case '{':
        return !kEdn && entries(out, depth);
      default:
        break;
    }
    std::int64_t i = 0;
    if (!integer(i)) return false;
    out = values_.integer(i);
    return true;
  }
  bool items(ValueId& out, int depth) {
    const std::size_t base = ids_.size();
    if (!parts(depth)) return false;
    out = values_.list({ids_.data() + base, ids_.size() - base});
    ids_.resize(base);
    return true;
  }
  // The items of a list, onto ids_.
  bool parts(int depth) {
    if (depth == kMaxDepth) return false;
    ++p_;
    space();
    for (bool first = true; !take(']'); first = false) {
      if (!first && !between()) return false;
      ValueId item = kNil;
      if (!value(item, depth + 1)) return false;
      ids_.push_back(item);
      space();
    }
    return true;
  }

  // A list of micro-operations [f key value] for TransactionValues. False: it is something else, and nothing was read.
  bool transaction(ValueId& out) {
    const char* start = p_;
    const std::size_t base = ids_.size();
    ++p_;
    space();
    bool good = true;
    for (bool first = true; good && !take(']'); first = false) {
      ValueId micro = kNil;
      good = (first || between()) && micro_operation(micro);
      ids_.push_back(micro);
      space();
    }
    if (good) {
      out = values_.fresh_list({ids_.data() + base, ids_.size() - base});
    } else {
      p_ = start;
    }
    ids_.resize(base);
    return good;
  }
  bool micro_operation(ValueId& out) {
    std::string_view f;
    ValueId key = kNil, seen = kNil;
    if (!take('[')) return false;
    space();
    if (!text(f)) return false;
    space();
    if (!between() || !value(key, 2)) return false;
    space();
    if (!between()) return false;
    if (p_ != end_ && *p_ == '[' && f == "r") {
      const std::size_t base = ids_.size();
      if (!parts(2)) return false;
      out = transactions_->read(key, {ids_.data() + base, ids_.size() - base});
      ids_.resize(base);
    } else {
      if (!value(seen, 2)) return false;
      out = transactions_->micro_operation(f, key, seen);
      if (out == kAbsent) return false;
    }
    space();
    return take(']');
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
        ids_.push_back(values_.string(name));
        space();
        if (!take(':')) return false;
        space();
        if (!value(item, depth + 1)) return false;
        ids_.push_back(item);
        space();
      } while (take(','));
      if (!take('}')) return false;
    }
    out = values_.map({ids_.data() + base, ids_.size() - base});
    ids_.resize(base);
    return true;
  }

  bool field(Field which, RawEvent& raw) {
    std::string_view spelled;
    switch (which) {
      case Field::type:
        return text(spelled) && EventSink::set_type(raw, spelled);
      case Field::f: {
        if (!text(spelled) || spelled.empty()) return false;
        const auto f = sink_.function(spelled);
        if (f) raw.f = *f;
        return f.has_value();
      }
      case Field::process:
        if (p_ != end_ && (*p_ == '"' || *p_ == ':')) {
          if (!text(spelled) || spelled.empty()) return false;
          EventSink::set_process(raw, spelled);
        } else {
          std::int64_t number = 0;
          if (!integer(number)) return false;
          EventSink::set_process(raw, number);
        }
        return true;
      case Field::key:
        if (p_ == end_ || *p_ != '"') return value(raw.key, 0);
        if (!string(spelled)) return false;
        if (key_ == kAbsent || spelled != key_text_) {
          key_ = values_.string(spelled);
          key_text_ = spelled;
        }
        raw.key = key_;
        return true;
      case Field::value:
        if (transactions_ != nullptr && p_ != end_ && *p_ == '[' && transaction(raw.value)) return true;
        if (!value(raw.value, 0)) return false;
        sink_.note_plain(raw.value);
        return true;
      case Field::time:
        return integer(raw.time);
      case Field::index:
        return integer(raw.index);
      case Field::error: {
        ValueId error = kNil;
        if (!value(error, 0)) return false;
        EventSink::set_error(raw, values_.to_value(error));
        return true;
      }
      case Field::other:
        return other();
    }
    return false;
  }
  // Fields that we do not know are walked over, not interned.
  bool other() {
    std::string_view spelled;
    std::int64_t number = 0;
    if (p_ == end_) return false;
    switch (*p_) {
      case '"':
      case ':':
        return text(spelled);
      case 'n':
        return word(kEdn ? "nil" : "null") && delimited();
      case 't':
        return word("true") && delimited();
      case 'f':
        return word("false") && delimited();
      case '[':
      case '{':
        return false;
      default:
        return integer(number);
    }
  }

  EventSink& sink_;
  ValueTable& values_;
  TransactionValues* transactions_;  // nullptr: transactions are values like others
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

}  // namespace ordeal
