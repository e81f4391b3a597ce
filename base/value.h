#pragma once
// Value: what an operation carries, a small JSON-like tree.
//
// It exists so that no public header needs a JSON library, and because histories hold things JSON cannot say
// (maps with integer keys) and must not lose (integers, decimals and ratios of any length). Equality is structural;
// maps compare without regard to the order of their entries. Thread-safety: a value type.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace ordeal {

class Value {
 public:
  using List = std::vector<Value>;
  using Entry = std::pair<Value, Value>;
  using Map = std::vector<Entry>;
  enum class Kind : std::uint8_t { nil, boolean, integer, real, string, list, map };

  Value() = default;  // nil
  Value(std::nullptr_t) {}
  Value(bool b) : data_(b) {}
  Value(int i) : data_(static_cast<std::int64_t>(i)) {}
  Value(std::int64_t i) : data_(i) {}
  Value(double d) : data_(d) {}
  Value(const char* s) : data_(std::string(s)) {}
  Value(std::string s) : data_(std::move(s)) {}
  Value(std::string_view s) : data_(std::string(s)) {}
  Value(List list) : data_(std::move(list)) {}
  Value(Map map) : data_(std::move(map)) {}

  Value(const Value&) = default;
  Value(Value&&) noexcept = default;
  ~Value() = default;
  // By value, so that a value may be assigned a part of itself: v = v.items()[1].
  Value& operator=(Value other) noexcept {
    data_.swap(other.data_);
    return *this;
  }

  // The number that a text means: an integer when it is one of 64 bits, else a real. One with a fraction or an exponent
  // is taken for a printed double as long as it has no more digits than doubles are printed with (17); what says more
  // keeps its digits, as do integers beyond 64 bits. Requires: digits with an optional sign, fraction and exponent.
  static Value number(std::string_view decimal);
  // The exact number above / below in lowest terms, an integer or a decimal when it is one. Requires: both are digits,
  // `above` with an optional sign, `below` not zero; or `above` is a decimal, whose digits all count, and `below` 1.
  static Value ratio(std::string_view above, std::string_view below);

  static Value list(List items = {}) { return Value(std::move(items)); }
  static Value map(Map entries = {}) { return Value(std::move(entries)); }

  [[nodiscard]] Kind kind() const {
    return data_.index() == kExactIndex ? Kind::real : static_cast<Kind>(data_.index());
  }
  [[nodiscard]] bool is_nil() const { return kind() == Kind::nil; }
  [[nodiscard]] bool is_boolean() const { return kind() == Kind::boolean; }
  [[nodiscard]] bool is_integer() const { return kind() == Kind::integer; }
  [[nodiscard]] bool is_real() const { return kind() == Kind::real; }
  [[nodiscard]] bool is_string() const { return kind() == Kind::string; }
  [[nodiscard]] bool is_list() const { return kind() == Kind::list; }
  [[nodiscard]] bool is_map() const { return kind() == Kind::map; }

  // Requires: the value is of that kind (checked, aborts otherwise).
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::int64_t integer() const;
  [[nodiscard]] double real() const;  // an integer is converted; the nearest double of an exact number
  // The digits of a real that is no double, in one spelling for each number ("18446744073709551616", "1e400",
  // "1/3"); empty for any other value.
  [[nodiscard]] std::string_view exact_digits() const;
  [[nodiscard]] const std::string& string() const;
  [[nodiscard]] const List& items() const;
  [[nodiscard]] List& items();
  [[nodiscard]] const Map& entries() const;
  [[nodiscard]] Map& entries();

  // The value under `key` of a map, or nullptr when this is no map or has no such key.
  [[nodiscard]] const Value* find(const Value& key) const;
  // Sets or replaces an entry. Requires: a map or nil (which becomes a map).
  void set(Value key, Value value);

  friend bool operator==(const Value& a, const Value& b);
  // A total order over all values (kind first); used to emit things in a stable order.
  friend bool operator<(const Value& a, const Value& b);

  // Compact JSON on one line. Map keys that are no strings are written as the JSON text of the key; half surrogate
  // pairs as the escapes that they were read from, other bytes that are not UTF-8 as U+FFFD; NaN and infinities as
  // null; exact numbers with all their digits, and those that are no decimals (1/3) as a string.
  [[nodiscard]] std::string to_json() const;
  void append_json(std::string& out) const;

  // Reads one JSON document (RFC 8259). Numbers keep their exact value, see number().
  // Errors: input, with line and column. Nesting deeper than 512 is refused.
  [[nodiscard]] static Result<Value> from_json(std::string_view text);

 private:
  // A real that is no double.
  struct Exact {
    std::string digits;
    friend bool operator==(const Exact&, const Exact&) = default;
  };
  static constexpr std::size_t kExactIndex = 7;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map, Exact> data_;
};

// Appends `text` as a JSON string literal with its quotes; half a surrogate pair (as JsonScanner keeps it) as its
// escape, other invalid UTF-8 as U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace ordeal
