#include "base/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
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
  ORDEAL_CHECK(is_real(), "a number was expected, found " + to_json());
  return std::get<double>(data_);
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
      return a.real() < b.real();
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
      const double d = std::get<double>(data_);
      if (!std::isfinite(d)) {
        out += "null";
        return;
      }
      char buffer[40];
      const auto end = std::to_chars(buffer, buffer + sizeof buffer, d).ptr;
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
