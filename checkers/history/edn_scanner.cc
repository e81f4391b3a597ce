#include "checkers/history/edn_scanner.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <vector>

namespace ordeal {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == ',' || c == '\f' || c == '\v'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Ends a symbol, keyword, number or character.
bool is_delimiter(char c) {
  return is_space(c) || c == '(' || c == ')' || c == '[' || c == ']' || c == '{' || c == '}' || c == '"' || c == ';';
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Four hexadecimal digits at the beginning of `text`.
std::optional<std::uint32_t> hex4(std::string_view text) {
  std::uint32_t code = 0;
  if (text.size() < 4 || text.front() == '-') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, code, 16);
  if (error != std::errc() || end != text.data() + 4) return std::nullopt;
  return code;
}

}  // namespace

bool EdnScanner::complain(std::string what) {
  if (problem_.empty()) problem_ = std::move(what);
  return false;
}

std::string EdnScanner::found() const {
  if (at_ >= text_.size()) return "the end";
  std::string_view rest = text_.substr(at_, 24);
  rest = rest.substr(0, std::min(rest.find('\n'), rest.size()));
  std::string out = "'";
  for (const char c : rest) out += static_cast<unsigned char>(c) >= 0x20 && c != 0x7F ? c : '?';
  return out + "'";
}

bool EdnScanner::more() {
  while (ok() && at_ < text_.size()) {
    const char c = text_[at_];
    if (is_space(c)) {
      ++at_;
    } else if (c == ';') {
      const std::size_t newline = text_.find('\n', at_);
      at_ = newline == std::string_view::npos ? text_.size() : newline + 1;
    } else if (c == '^' || (c == '#' && at_ + 1 < text_.size() && (text_[at_ + 1] == '_' || text_[at_ + 1] == '^'))) {
      at_ += c == '^' ? 1 : 2;
      if (++depth_ > kMaxDepth) return complain("nested deeper than " + std::to_string(kMaxDepth));
      const bool skipped = skip();
      --depth_;
      if (!skipped) return false;
    } else {
      return true;
    }
  }
  return false;
}

bool EdnScanner::symbol(std::string_view& out) {
  const std::size_t start = at_;
  while (at_ < text_.size() && !is_delimiter(text_[at_])) ++at_;
  out = text_.substr(start, at_ - start);
  return !out.empty() || complain("a form was expected, found " + found());
}

bool EdnScanner::tag(std::string_view& out) {
  if (at_ + 1 >= text_.size() || text_[at_] != '#') return false;
  const char c = text_[at_ + 1];
  if (is_delimiter(c) || c == '#' || c == '\'' || c == '^' || c == ':' || c == '?' || c == '_' || c == '=')
    return false;
  ++at_;
  return symbol(out);
}

bool EdnScanner::name(std::string_view& out) {
  if (!more()) return complain("a name was expected, found the end");
  if (text_[at_] == '"') {
    if (!string()) return false;
    out = buffer_;
    return true;
  }
  const std::size_t start = at_;
  if (!symbol(out)) return false;
  if (out.front() == ':') out.remove_prefix(1);
  if (out.empty()) {
    at_ = start;
    return complain("a keyword was expected, found " + found());
  }
  return true;
}

bool EdnScanner::escape() {
  if (at_ >= text_.size()) return complain("the string is not closed");
  const char c = text_[at_++];
  switch (c) {
    case 'n':
      buffer_ += '\n';
      return true;
    case 't':
      buffer_ += '\t';
      return true;
    case 'r':
      buffer_ += '\r';
      return true;
    case 'b':
      buffer_ += '\b';
      return true;
    case 'f':
      buffer_ += '\f';
      return true;
    case 'u': {
      auto code = hex4(text_.substr(at_));
      if (!code) return complain("four hexadecimal digits were expected after \\u, found " + found());
      at_ += 4;
      if (*code >= 0xD800 && *code <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
        const auto low = hex4(text_.substr(at_ + 2));
        if (low && *low >= 0xDC00 && *low <= 0xDFFF) {
          code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
          at_ += 6;
        }
      }
      // Half a surrogate pair stays one, in three bytes, as in JSON.
      append_utf8(buffer_, *code);
      return true;
    }
    default:
      buffer_ += c;
      return true;  // \" and \\, and whatever a careless printer escaped
  }
}

// Reads a string literal into buffer_.
bool EdnScanner::string() {
  const std::size_t start = at_++;
  buffer_.clear();
  while (at_ < text_.size()) {
    const std::size_t stop = text_.find_first_of("\"\\", at_);
    if (stop == std::string_view::npos) break;
    buffer_.append(text_.substr(at_, stop - at_));
    at_ = stop + 1;
    if (text_[stop] == '"') return true;
    if (!escape()) return false;
  }
  at_ = start;
  return complain("the string that begins here is not closed");
}

bool EdnScanner::character(ValueId* out) {
  const std::size_t start = at_++;
  if (at_ >= text_.size()) return complain("a character was expected after \\, found the end");
  ++at_;  // the first one may be a delimiter itself: \( or \;
  while (at_ < text_.size() && !is_delimiter(text_[at_])) ++at_;
  const std::string_view word = text_.substr(start + 1, at_ - start - 1);
  buffer_.clear();
  if (word == "newline")
    buffer_ = "\n";
  else if (word == "space")
    buffer_ = " ";
  else if (word == "tab")
    buffer_ = "\t";
  else if (word == "return")
    buffer_ = "\r";
  else if (word == "backspace")
    buffer_ = "\b";
  else if (word == "formfeed")
    buffer_ = "\f";
  else if (std::uint32_t code = 0; word.size() == 5 && word.front() == 'u' &&
                                   std::from_chars(word.data() + 1, word.data() + 5, code, 16).ptr == word.data() + 5)
    append_utf8(buffer_, code);
  else
    buffer_ = word;
  if (out != nullptr) *out = values_.string(buffer_);
  return true;
}

bool EdnScanner::integer_text(std::string_view text, ValueId* out) {
  if (out == nullptr) return true;
  std::string_view digits = text;
  if (digits.front() == '+') digits.remove_prefix(1);
  std::int64_t i = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), i);
  if (end == digits.data() + digits.size() && error == std::errc()) {
    *out = values_.integer(i);
  } else {
    *out = values_.intern(Value::number(digits));
  }
  return true;
}

bool EdnScanner::number(ValueId* out) {
  const std::size_t start = at_;
  std::string_view word;
  if (!symbol(word)) return false;
  const auto wrong = [&] {
    at_ = start;
    return complain("a number was expected, found " + found());
  };
  std::string_view body = word;
  std::size_t i = body.front() == '-' || body.front() == '+' ? 1 : 0;
  const std::size_t first = i;
  while (i < body.size() && is_digit(body[i])) ++i;
  if (i == first) return wrong();
  if (i == body.size()) return integer_text(body, out);
  if (body.substr(i) == "N") return integer_text(body.substr(0, i), out);
  if (body[i] == '/') {
    const std::string_view below = body.substr(i + 1);
    const bool digits = !below.empty() && std::all_of(below.begin(), below.end(), is_digit);
    if (!digits || below.find_first_not_of('0') == std::string_view::npos) return wrong();
    if (out != nullptr) *out = values_.intern(Value::ratio(body.substr(0, i), below));
    return true;
  }
  if (i == first + 1 && body[first] == '0' && i < body.size() && (body[i] == 'x' || body[i] == 'X')) {
    std::int64_t hex = 0;
    const auto [p, e] = std::from_chars(body.data() + i + 1, body.data() + body.size(), hex, 16);
    if (e != std::errc() || p != body.data() + body.size() || hex < 0) return wrong();
    if (out != nullptr) *out = values_.integer(first == 1 && body.front() == '-' ? -hex : hex);
    return true;
  }
  const bool decimal = body.back() == 'M';
  if (decimal) body.remove_suffix(1);
  // What is left is a decimal: digits, a fraction, an exponent.
  const auto digits = [&] {
    while (i < body.size() && is_digit(body[i])) ++i;
  };
  if (i < body.size() && body[i] == '.') {
    ++i;
    digits();
  }
  if (i < body.size() && (body[i] == 'e' || body[i] == 'E')) {
    i += i + 1 < body.size() && (body[i + 1] == '+' || body[i + 1] == '-') ? 2 : 1;
    const std::size_t exponent = i;
    digits();
    if (i == exponent) return wrong();
  }
  if (i != body.size()) return wrong();
  // A decimal of Java's that is a whole number is another value than the integer, as 1.0 is.
  if (out == nullptr) return true;
  // A decimal of Java's is no printed double: all its digits count.
  const Value value = decimal ? Value::ratio(body, "1") : Value::number(body);
  *out = value.is_integer() ? values_.real(value.real()) : values_.intern(value);
  return true;
}

bool EdnScanner::sequence(char closing, ValueId* out, bool set) {
  const std::size_t start = at_ - 1;
  std::vector<ValueId> ids;
  for (;;) {
    if (!more()) {
      if (ok()) at_ = start;
      return complain(std::string("no '") + closing + "' closes what begins here");
    }
    if (text_[at_] == closing) break;
    ValueId item = kNil;
    if (!form(out != nullptr ? &item : nullptr)) return false;
    if (out != nullptr) ids.push_back(item);
  }
  ++at_;
  if (out == nullptr) return true;
  if (set) {
    const auto integers =
        std::all_of(ids.begin(), ids.end(), [&](ValueId id) { return values_.kind(id) == Value::Kind::integer; });
    if (integers) {
      std::sort(ids.begin(), ids.end(),
                [&](ValueId a, ValueId b) { return values_.as_integer(a) < values_.as_integer(b); });
    } else {
      std::sort(ids.begin(), ids.end());
    }
  }
  *out = values_.list(ids);
  return true;
}

bool EdnScanner::map(ValueId* out, std::string_view prefix) {
  const std::size_t start = at_ - 1;
  std::vector<ValueId> ids;
  for (;;) {
    if (!more()) {
      if (ok()) at_ = start;
      return complain("no '}' closes the map that begins here");
    }
    if (text_[at_] == '}') break;
    ValueId key = kNil;
    ValueId item = kNil;
    // In #:ns{:a 1} the keywords stand for :ns/a.
    const bool bare = !prefix.empty() && text_[at_] == ':';
    if (!form(out != nullptr ? &key : nullptr)) return false;
    if (out != nullptr && bare && values_.kind(key) == Value::Kind::string &&
        values_.as_string(key).find('/') == std::string_view::npos) {
      key = values_.string(std::string(prefix) + "/" + std::string(values_.as_string(key)));
    }
    if (!more() || text_[at_] == '}') return complain("a map needs a value for each key, found " + found());
    if (!form(out != nullptr ? &item : nullptr)) return false;
    if (out != nullptr) ids.insert(ids.end(), {key, item});
  }
  ++at_;
  if (out != nullptr) *out = values_.map(ids);
  return true;
}

// A form that begins with '#'.
bool EdnScanner::dispatch(ValueId* out) {
  if (at_ + 1 >= text_.size()) return complain("a form was expected after '#', found the end");
  std::string_view word;
  switch (text_[at_ + 1]) {
    case '{':
      at_ += 2;
      return sequence('}', out, true);
    case '(':
      at_ += 2;
      return sequence(')', out, false);
    case '[':
      at_ += 2;
      return sequence(']', out, false);
    case '"':
      ++at_;
      return form(out);  // a regular expression
    case '\'':
      at_ += 2;
      return form(out);  // a var
    case '=':
      at_ += 2;
      return form(out);
    case '#': {
      at_ += 2;
      if (!symbol(word)) return false;
      double real = 0;
      if (word == "NaN")
        real = std::numeric_limits<double>::quiet_NaN();
      else if (word == "Inf")
        real = std::numeric_limits<double>::infinity();
      else if (word == "-Inf")
        real = -std::numeric_limits<double>::infinity();
      else
        return complain("##NaN, ##Inf or ##-Inf was expected, found ##" + std::string(word));
      if (out != nullptr) *out = values_.real(real);
      return true;
    }
    case ':': {
      at_ += 2;
      if (!symbol(word)) return false;
      if (!more() || text_[at_] != '{')
        return complain("a map was expected after #:" + std::string(word) + ", found " + found());
      ++at_;
      return map(out, word);
    }
    default:
      break;
  }
  const std::size_t start = at_;
  if (!tag(word)) {
    at_ = start;
    return complain("a form was expected, found " + found());
  }
  return form(out);
}

bool EdnScanner::form(ValueId* out) {
  if (!more()) return complain("a form was expected, found the end");
  if (++depth_ > kMaxDepth) return complain("nested deeper than " + std::to_string(kMaxDepth));
  const char c = text_[at_];
  bool read = false;
  switch (c) {
    case '[':
      ++at_;
      read = sequence(']', out, false);
      break;
    case '(':
      ++at_;
      read = sequence(')', out, false);
      break;
    case '{':
      ++at_;
      read = map(out, {});
      break;
    case '#':
      read = dispatch(out);
      break;
    case '\\':
      read = character(out);
      break;
    case '\'':
    case '`':
    case '~':
    case '@':
      ++at_;
      read = form(out);
      break;
    case '"':
      read = string();
      if (read && out != nullptr) *out = values_.string(buffer_);
      break;
    case ')':
    case ']':
    case '}':
      read = complain("a form was expected, found " + found());
      break;
    default: {
      const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
      if (is_digit(c) || ((c == '-' || c == '+') && is_digit(next))) {
        read = number(out);
        break;
      }
      const std::size_t start = at_;
      std::string_view word;
      read = symbol(word);
      if (!read) break;
      if (word == "nil")
        give(out, kNil);
      else if (out == nullptr) {
      } else if (word == "true" || word == "false")
        *out = values_.boolean(word == "true");
      else if (word.front() != ':')
        *out = values_.string(word);
      else if (word.size() == 1) {
        at_ = start;
        read = complain("a keyword was expected, found " + found());
      } else
        *out = values_.string(word.substr(1));
    }
  }
  --depth_;
  return read;
}

}  // namespace ordeal
