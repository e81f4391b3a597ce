#pragma once
// Value: what an operation carries, a small JSON-like tree.
//
// It exists so that no public header needs a JSON library, and because histories hold things JSON cannot say
// (maps with integer keys) and must not lose (integers of 64 bits). Equality is structural; maps compare without
// regard to the order of their entries. Thread-safety: a value type.

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

  static Value list(List items = {}) { return Value(std::move(items)); }
  static Value map(Map entries = {}) { return Value(std::move(entries)); }

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(data_.index()); }
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
  [[nodiscard]] double real() const;  // an integer is converted
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

  // Compact JSON on one line. Map keys that are no strings are written as the JSON text of the key; bytes that are
  // not UTF-8 as U+FFFD; NaN and infinities as null.
  [[nodiscard]] std::string to_json() const;
  void append_json(std::string& out) const;

  // Reads one JSON document (RFC 8259). Integers that fit 64 bits stay integers, others become reals.
  // Errors: input, with line and column. Nesting deeper than 512 is refused.
  [[nodiscard]] static Result<Value> from_json(std::string_view text);

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map> data_;
};

// Appends `text` as a JSON string literal with its quotes; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace ordeal
