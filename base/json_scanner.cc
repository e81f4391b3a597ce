#include "base/json_scanner.h"

#include <charconv>
#include <cstdlib>

#include "base/text.h"

namespace ordeal {
namespace {

// The half of a surrogate pair that stands at text[i] in three bytes, 0 when there is none.
unsigned half_pair(std::string_view text, std::size_t i) {
  if (i + 2 >= text.size()) return 0;
  const auto byte = [&](std::size_t k) { return static_cast<unsigned>(static_cast<unsigned char>(text[i + k])); };
  if (byte(0) != 0xED || byte(1) < 0xA0 || byte(1) > 0xBF || byte(2) < 0x80 || byte(2) > 0xBF) return 0;
  return 0xD000 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
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

std::string shown(char c) {
  if (c >= 0x20 && c < 0x7F) return std::string("'") + c + "'";
  static constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return std::string("byte 0x") + kHex[byte >> 4] + kHex[byte & 15];
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = utf8_length(text, i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
      ++i;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      switch (c) {
        case '\n':
          out += "\\n";
          break;
        case '\t':
          out += "\\t";
          break;
        case '\r':
          out += "\\r";
          break;
        default:
          out += "\\u00";
          out += kHex[static_cast<unsigned char>(c) >> 4];
          out += kHex[static_cast<unsigned char>(c) & 15];
      }
      ++i;
    } else if (const std::size_t n = utf8_length(text, i); n != 0) {
      out.append(text.substr(i, n));
      i += n;
    } else if (const unsigned half = half_pair(text, i); half != 0) {
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out += kHex[half >> shift & 15];
      i += 3;
    } else {
      out += "\xEF\xBF\xBD";
      ++i;
    }
  }
  out += '"';
}

bool JsonScanner::complain(std::string what) {
  if (problem_.empty()) problem_ = std::move(what);
  return false;
}

void JsonScanner::space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
    ++at_;
  }
}

char JsonScanner::peek() {
  space();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonScanner::end() {
  space();
  if (!ok()) return false;
  if (at_ == text_.size()) return true;
  return complain("the end was expected, found " + shown(text_[at_]));
}

JsonScanner::Place JsonScanner::place() const {
  Place place;
  for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) {
    if (text_[i] == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      ++place.column;
    }
  }
  return place;
}

bool JsonScanner::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) {
    return complain("a JSON value was expected, found " + shown(text_[at_]));
  }
  at_ += word.size();
  return true;
}

bool JsonScanner::open(char bracket) {
  if (!ok()) return false;
  if (peek() != bracket || at_ == text_.size()) {
    return complain(std::string("'") + bracket + "' was expected, found " +
                    (at_ < text_.size() ? shown(text_[at_]) : "the end"));
  }
  if (++depth_ > kMaxDepth) return complain("nested deeper than " + std::to_string(kMaxDepth));
  ++at_;
  first_ = true;
  return true;
}

bool JsonScanner::next_item(char closing) {
  if (!ok()) return false;
  const char c = peek();
  if (c == closing && at_ < text_.size()) {
    ++at_;
    --depth_;
    first_ = false;
    return false;
  }
  if (first_) {
    first_ = false;
    return true;
  }
  if (c != ',') {
    return complain(std::string("',' or '") + closing + "' was expected, found " +
                    (at_ < text_.size() ? shown(c) : "the end"));
  }
  ++at_;
  if (peek() == closing) return complain(std::string("a value was expected after ',', found '") + closing + "'");
  return true;
}

bool JsonScanner::next_key(std::string_view& key) {
  if (!next_item('}')) return false;
  if (!string(key)) return false;
  if (peek() != ':' || at_ == text_.size()) {
    return complain("':' was expected after a key, found " + (at_ < text_.size() ? shown(text_[at_]) : "the end"));
  }
  ++at_;
  return true;
}

bool JsonScanner::hex4(std::uint32_t& out) {
  if (at_ + 4 > text_.size()) return complain("four hexadecimal digits were expected after \\u, found the end");
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, begin + 4, out, 16);
  if (error != std::errc() || end != begin + 4 || *begin == '-') {
    return complain("four hexadecimal digits were expected after \\u");
  }
  at_ += 4;
  return true;
}

bool JsonScanner::escape() {
  if (at_ >= text_.size()) return complain("the string is not closed");
  const char c = text_[at_++];
  switch (c) {
    case '"':
    case '\\':
    case '/':
      buffer_ += c;
      return true;
    case 'b':
      buffer_ += '\b';
      return true;
    case 'f':
      buffer_ += '\f';
      return true;
    case 'n':
      buffer_ += '\n';
      return true;
    case 'r':
      buffer_ += '\r';
      return true;
    case 't':
      buffer_ += '\t';
      return true;
    case 'u':
      break;
    default:
      --at_;
      return complain("unknown escape " + shown(c) + " in a string");
  }
  std::uint32_t code = 0;
  if (!hex4(code)) return false;
  if (code >= 0xD800 && code <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
    const std::size_t back = at_;
    at_ += 2;
    std::uint32_t low = 0;
    if (!hex4(low)) return false;
    if (low >= 0xDC00 && low <= 0xDFFF) {
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else {
      at_ = back;
    }
  }
  // Half a surrogate pair is no character, but one half differs from another: it is kept as three bytes (WTF-8).
  append_utf8(buffer_, code);
  return true;
}

bool JsonScanner::string(std::string_view& out) {
  if (!ok()) return false;
  if (peek() != '"' || at_ == text_.size()) {
    return complain("a string was expected, found " + (at_ < text_.size() ? shown(text_[at_]) : "the end"));
  }
  const std::size_t start = ++at_;
  while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
         static_cast<unsigned char>(text_[at_]) >= 0x20) {
    ++at_;
  }
  if (at_ < text_.size() && text_[at_] == '"') {
    out = text_.substr(start, at_ - start);
    ++at_;
    return true;
  }
  buffer_.assign(text_.substr(start, at_ - start));
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      out = buffer_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      return complain("a string must not contain the control character " + shown(c) + "; write an escape");
    }
    ++at_;
    if (c == '\\') {
      if (!escape()) return false;
    } else {
      buffer_ += c;
    }
  }
  return complain("the string is not closed");
}

bool JsonScanner::number(Value& out) {
  const std::size_t start = at_;
  const auto digit = [&] { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; };
  if (text_[at_] == '-') ++at_;
  if (!digit()) return complain("a digit was expected");
  if (text_[at_] == '0') {
    ++at_;
    if (digit()) return complain("a number must not begin with 0");
  } else {
    while (digit()) ++at_;
  }
  if (at_ < text_.size() && text_[at_] == '.') {
    ++at_;
    if (!digit()) return complain("a digit was expected after '.'");
    while (digit()) ++at_;
  }
  if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    ++at_;
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    if (!digit()) return complain("a digit was expected in the exponent");
    while (digit()) ++at_;
  }
  out = Value::number(text_.substr(start, at_ - start));
  return true;
}

bool JsonScanner::integer(std::int64_t& out) {
  if (!ok()) return false;
  const char c = peek();
  const std::size_t start = at_;
  if (c != '-' && (c < '0' || c > '9')) {
    return complain("an integer was expected, found " + (at_ < text_.size() ? shown(c) : "the end"));
  }
  Value v;
  if (!number(v)) return false;
  if (!v.is_integer()) {
    at_ = start;
    return complain("an integer of at most 64 bits was expected");
  }
  out = v.integer();
  return true;
}

bool JsonScanner::value(Value& out) {
  if (!ok()) return false;
  const char c = peek();
  if (at_ == text_.size()) return complain("a JSON value was expected, found the end");
  switch (c) {
    case 'n':
      out = Value();
      return literal("null");
    case 't':
      out = Value(true);
      return literal("true");
    case 'f':
      out = Value(false);
      return literal("false");
    case '"': {
      std::string_view text;
      if (!string(text)) return false;
      out = Value(text);
      return true;
    }
    case '[': {
      if (!open('[')) return false;
      Value::List items;
      while (next_item()) {
        if (!value(items.emplace_back())) return false;
      }
      out = Value(std::move(items));
      return ok();
    }
    case '{': {
      if (!open('{')) return false;
      Value::Map entries;
      std::string_view key;
      while (next_key(key)) {
        entries.emplace_back(Value(key), Value());
        if (!value(entries.back().second)) return false;
      }
      out = Value(std::move(entries));
      return ok();
    }
    default:
      break;
  }
  if (c == '-' || (c >= '0' && c <= '9')) return number(out);
  return complain("a JSON value was expected, found " + shown(c));
}

bool JsonScanner::skip() {
  Value ignored;
  return value(ignored);
}

}  // namespace ordeal
