#include "base/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <utility>

#include "base/json_scanner.h"

namespace ordeal {

bool Value::boolean() const {
  ORDEAL_CHECK(is_boolean(), "a boolean was expected, found " + to_json());
  return std::get<bool>(data_);
}
std::int64_t Value::integer() const {
  ORDEAL_CHECK(is_integer(), "an integer was expected, found " + to_json());
  return std::get<std::int64_t>(data_);
}
double Value::real() const {
  if (is_integer()) return static_cast<double>(std::get<std::int64_t>(data_));
  if (const Exact* exact = std::get_if<Exact>(&data_)) {
    const std::size_t slash = exact->digits.find('/');
    const double above = std::strtod(exact->digits.c_str(), nullptr);
    return slash == std::string::npos ? above : above / std::strtod(exact->digits.c_str() + slash + 1, nullptr);
  }
  ORDEAL_CHECK(is_real(), "a number was expected, found " + to_json());
  return std::get<double>(data_);
}
std::string_view Value::exact_digits() const {
  const Exact* exact = std::get_if<Exact>(&data_);
  return exact == nullptr ? std::string_view() : std::string_view(exact->digits);
}
const std::string& Value::string() const {
  ORDEAL_CHECK(is_string(), "a string was expected, found " + to_json());
  return std::get<std::string>(data_);
}
const Value::List& Value::items() const {
  ORDEAL_CHECK(is_list(), "a list was expected, found " + to_json());
  return std::get<List>(data_);
}
Value::List& Value::items() {
  ORDEAL_CHECK(is_list(), "a list was expected, found " + to_json());
  return std::get<List>(data_);
}
const Value::Map& Value::entries() const {
  ORDEAL_CHECK(is_map(), "a map was expected, found " + to_json());
  return std::get<Map>(data_);
}
Value::Map& Value::entries() {
  ORDEAL_CHECK(is_map(), "a map was expected, found " + to_json());
  return std::get<Map>(data_);
}

const Value* Value::find(const Value& key) const {
  if (!is_map()) return nullptr;
  for (const auto& [k, v] : std::get<Map>(data_)) {
    if (k == key) return &v;
  }
  return nullptr;
}

void Value::set(Value key, Value value) {
  if (is_nil()) data_ = Map{};
  for (auto& [k, v] : entries()) {
    if (k == key) {
      v = std::move(value);
      return;
    }
  }
  entries().emplace_back(std::move(key), std::move(value));
}

namespace {

std::vector<const Value::Entry*> sorted_entries(const Value::Map& map) {
  std::vector<const Value::Entry*> order;
  order.reserve(map.size());
  for (const auto& entry : map) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const Value::Entry* a, const Value::Entry* b) { return a->first < b->first; });
  return order;
}

}  // namespace

bool operator==(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  if (!a.is_map()) return a.data_ == b.data_;
  if (a.entries().size() != b.entries().size()) return false;
  const auto left = sorted_entries(a.entries());
  const auto right = sorted_entries(b.entries());
  return std::equal(left.begin(), left.end(), right.begin(), [](const Value::Entry* x, const Value::Entry* y) {
    return x->first == y->first && x->second == y->second;
  });
}

bool operator<(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return a.kind() < b.kind();
  switch (a.kind()) {
    case Value::Kind::nil:
      return false;
    case Value::Kind::boolean:
      return !a.boolean() && b.boolean();
    case Value::Kind::integer:
      return a.integer() < b.integer();
    case Value::Kind::real:
      if (a.real() < b.real() || b.real() < a.real()) return a.real() < b.real();
      return a.exact_digits() < b.exact_digits();
    case Value::Kind::string:
      return a.string() < b.string();
    case Value::Kind::list:
      return std::lexicographical_compare(a.items().begin(), a.items().end(), b.items().begin(), b.items().end());
    case Value::Kind::map: {
      const auto left = sorted_entries(a.entries());
      const auto right = sorted_entries(b.entries());
      return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end(),
                                          [](const Value::Entry* x, const Value::Entry* y) {
                                            if (!(x->first == y->first)) return x->first < y->first;
                                            return x->second < y->second;
                                          });
    }
  }
  return false;
}

std::string Value::to_json() const {
  std::string out;
  append_json(out);
  return out;
}

void Value::append_json(std::string& out) const {
  switch (kind()) {
    case Kind::nil:
      out += "null";
      return;
    case Kind::boolean:
      out += std::get<bool>(data_) ? "true" : "false";
      return;
    case Kind::integer: {
      char buffer[24];
      const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::get<std::int64_t>(data_)).ptr;
      out.append(buffer, end);
      return;
    }
    case Kind::real: {
      if (const std::string_view digits = exact_digits(); !digits.empty()) {
        const bool ratio = digits.find('/') != std::string_view::npos;
        out += ratio ? "\"" : "";
        out += digits;
        out += ratio ? "\"" : "";
        return;
      }
      const double d = std::get<double>(data_);
      if (!std::isfinite(d)) {
        out += "null";
        return;
      }
      char buffer[40];
      auto end = std::to_chars(buffer, buffer + sizeof buffer, d).ptr;
      // Large ones without an exponent have digits that are not among the shortest, and would be read as another
      // number.
      if (std::abs(d) > 9007199254740992.0)
        end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
      const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
      out += text;
      // Keep a real a real when it is read again.
      if (text.find_first_of(".eE") == std::string_view::npos) out += ".0";
      return;
    }
    case Kind::string:
      append_json_string(out, std::get<std::string>(data_));
      return;
    case Kind::list: {
      out += '[';
      bool first = true;
      for (const auto& item : std::get<List>(data_)) {
        if (!first) out += ',';
        first = false;
        item.append_json(out);
      }
      out += ']';
      return;
    }
    case Kind::map: {
      out += '{';
      bool first = true;
      for (const auto& [key, value] : std::get<Map>(data_)) {
        if (!first) out += ',';
        first = false;
        append_json_string(out, key.is_string() ? key.string() : key.to_json());
        out += ':';
        value.append_json(out);
      }
      out += '}';
      return;
    }
  }
}

namespace {

// A decimal in one spelling: its digits without zeros at either end, and the power of ten of the last one.
struct Decimal {
  bool negative = false;
  std::string digits;  // empty: zero
  std::int64_t exponent = 0;
  bool known = true;  // false: the exponent itself is out of range
  friend bool operator==(const Decimal&, const Decimal&) = default;
};

Decimal decimal_of(std::string_view text) {
  Decimal out;
  if (text.starts_with('-') || text.starts_with('+')) {
    out.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  const std::size_t e = text.find_first_of("eE");
  std::string_view mantissa = text.substr(0, e);
  if (e != std::string_view::npos) {
    std::string_view exponent = text.substr(e + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    // Exponents so long that adding to them could overflow are kept as they are spelled.
    constexpr std::size_t kLongest = 15;
    const auto [end, error] = std::from_chars(exponent.data(), exponent.data() + exponent.size(), out.exponent);
    out.known = error == std::errc() && end == exponent.data() + exponent.size() && exponent.size() <= kLongest;
  }
  const std::size_t point = mantissa.find('.');
  out.digits = mantissa.substr(0, point);
  if (point != std::string_view::npos) {
    out.digits += mantissa.substr(point + 1);
    out.exponent -= static_cast<std::int64_t>(mantissa.size() - point - 1);
  }
  out.digits.erase(0, std::min(out.digits.find_first_not_of('0'), out.digits.size()));
  while (out.digits.ends_with('0')) {
    out.digits.pop_back();
    ++out.exponent;
  }
  if (out.digits.empty()) return {};
  return out;
}

// As people write it where that is short, else digits and exponent.
std::string spelled(const Decimal& d) {
  constexpr std::int64_t kShort = 400;
  std::string out = d.negative ? "-" : "";
  const auto length = static_cast<std::int64_t>(d.digits.size());
  if (d.exponent >= 0 && length + d.exponent <= kShort)
    return out + d.digits + std::string(static_cast<std::size_t>(d.exponent), '0');
  if (d.exponent < 0 && d.exponent > -length) {
    const auto whole = static_cast<std::size_t>(length + d.exponent);
    return out + d.digits.substr(0, whole) + "." + d.digits.substr(whole);
  }
  if (d.exponent < 0 && -d.exponent <= kShort)
    return out + "0." + std::string(static_cast<std::size_t>(-d.exponent - length), '0') + d.digits;
  return out + d.digits + "e" + std::to_string(d.exponent);
}

// What stands for a decimal: a double when it is the shortest text that is read as it, else its digits.
std::variant<double, std::string> exactly(std::string_view text) {
  const Decimal wanted = decimal_of(text);
  if (text.find_first_of(".eE") != std::string_view::npos) {
    // strtod gives infinity or zero for what is out of range, which no decimal equals.
    const double nearest = std::strtod(std::string(text).c_str(), nullptr);
    char buffer[40];
    const auto last = std::to_chars(buffer, buffer + sizeof buffer, nearest, std::chars_format::scientific).ptr;
    const std::string_view shortest(buffer, static_cast<std::size_t>(last - buffer));
    if (wanted.known && std::isfinite(nearest) && decimal_of(shortest) == wanted) return nearest;
  }
  return wanted.known ? spelled(wanted) : std::string(text);
}

// The double that a text was printed from, as far as that can be: with no more digits than any double needs, or with
// all digits of its integer part.
std::optional<double> printed_double(std::string_view text) {
  constexpr std::size_t kPrintedDigits = 17;
  if (text.find_first_of(".eE") == std::string_view::npos) return std::nullopt;
  const double nearest = std::strtod(std::string(text).c_str(), nullptr);
  const Decimal wanted = decimal_of(text);
  // What is out of range has no nearest double.
  if (!std::isfinite(nearest) || (nearest == 0) != wanted.digits.empty() || !wanted.known) return std::nullopt;
  if (wanted.digits.size() <= kPrintedDigits) return nearest;
  char buffer[40];
  const auto last = std::to_chars(buffer, buffer + sizeof buffer, nearest).ptr;
  if (decimal_of({buffer, static_cast<std::size_t>(last - buffer)}) == wanted) return nearest;
  return std::nullopt;
}

}  // namespace

Value Value::number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t i = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), i);
  if (error == std::errc() && end == text.data() + text.size()) return i;
  if (const auto printed = printed_double(text)) return *printed;
  Value out;
  auto exact = exactly(text);
  if (const double* real = std::get_if<double>(&exact)) return *real;
  out.data_ = Exact{std::get<std::string>(std::move(exact))};
  return out;
}

Value Value::ratio(std::string_view above, std::string_view below) {
  if (above.starts_with('+')) above.remove_prefix(1);
  Value out;
  if (above.find_first_of(".eE") != std::string_view::npos) {
    auto decimal = exactly(above);
    if (const double* real = std::get_if<double>(&decimal)) return *real;
    out.data_ = Exact{std::get<std::string>(std::move(decimal))};
    return out;
  }
  const auto integer = [](std::string_view text, std::int64_t& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size();
  };
  std::int64_t a = 0, b = 0;
  std::string digits = std::string(above) + "/" + std::string(below);
  if (integer(above, a) && integer(below, b) && b > 0) {
    const std::int64_t common = std::gcd(a, b);
    a /= common;
    b /= common;
    if (b == 1) return a;
    // Only twos and fives below: it is a decimal. Each step moves the point by one.
    std::int64_t rest = b, scaled = a, places = 0;
    for (bool fits = true; fits && rest != 1 && (rest % 2 == 0 || rest % 5 == 0); ++places) {
      const std::int64_t factor = std::gcd(rest, std::int64_t{10});
      fits = !__builtin_mul_overflow(scaled, 10 / factor, &scaled);
      if (fits) rest /= factor;
    }
    auto decimal = exactly(std::to_string(scaled) + "e-" + std::to_string(places));
    if (rest == 1 && std::holds_alternative<double>(decimal)) return std::get<double>(decimal);
    digits = rest == 1 ? std::get<std::string>(decimal) : std::to_string(a) + "/" + std::to_string(b);
  }
  out.data_ = Exact{std::move(digits)};
  return out;
}

Result<Value> Value::from_json(std::string_view text) {
  JsonScanner scanner(text);
  Value value;
  if (!scanner.value(value) || !scanner.end()) {
    const auto place = scanner.place();
    return fail(ErrorCode::input, "line " + std::to_string(place.line) + ", column " + std::to_string(place.column) +
                                      ": " + scanner.problem());
  }
  return value;
}

}  // namespace ordeal
