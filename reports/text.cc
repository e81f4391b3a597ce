#include "reports/text.h"

#include <fmt/format.h>

namespace ordeal {

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) {
    ++at;
    return lead;
  }
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) {
    ++at;
    return 0xFFFD;
  }
  char32_t code = lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0u) != 0x80u) {
      ++at;
      return 0xFFFD;
    }
    code = (code << 6) | (byte(at + i) & 0x3Fu);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    ++at;
    return 0xFFFD;
  }
  at += length;
  return code;
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&out](char32_t c) { out += static_cast<char>(static_cast<unsigned char>(c)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

namespace {

// Appends the reference for a character that is markup; false when it is none.
bool append_reference(std::string& out, char32_t code) {
  switch (code) {
    case U'&':
      out += "&amp;";
      return true;
    case U'<':
      out += "&lt;";
      return true;
    case U'>':
      out += "&gt;";
      return true;
    case U'"':
      out += "&quot;";
      return true;
    case U'\'':
      out += "&#39;";
      return true;
    default:
      return false;
  }
}

bool is_control(char32_t code) {
  return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0);
}

// Characters that turn the direction of what follows: with them a payload can rewrite how its surroundings read.
bool is_direction(char32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0x200E || code == 0x200F;
}

bool is_wide(char32_t code) {
  return (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
         (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
         (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
         (code >= 0x1F300 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD);
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    if (append_reference(out, code)) continue;
    if (code == 0x2028 || code == 0x2029) {
      out += '\n';
    } else if (is_control(code)) {
      append_utf8(out, code < 0x20 ? 0x2400 + code : code == 0x7F ? U'\u2421' : U'\uFFFD');
    } else if (is_direction(code)) {
      out += fmt::format("⟨U+{:04X}⟩", static_cast<std::uint32_t>(code));
    } else {
      append_utf8(out, code);
    }
  }
  return out;
}

std::string xml_text(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    if (append_reference(out, code)) continue;
    if (is_control(code) || code == 0xFFFE || code == 0xFFFF) continue;
    append_utf8(out, code);
  }
  return out;
}

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) count += is_wide(next_code_point(text, at)) ? 2 : 1;
  return count;
}

std::string shortened(std::string_view text, std::size_t limit) {
  if (columns(text) <= limit) return std::string(text);
  std::string out;
  std::size_t used = 1;  // the ellipsis
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    used += is_wide(code) ? 2 : 1;
    if (used > limit) break;
    append_utf8(out, code);
  }
  return out + "…";
}

namespace {

// Where the JSON value that begins at text[at] with a quote, a bracket or a brace ends; npos: it does not.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      if (depth == 0) return std::string_view::npos;
      --depth;
    }
    if (!quoted && depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

// `count` bytes from the end, or a few less: never a part of a character.
std::string_view last_part(std::string_view text, std::size_t count) {
  std::size_t at = text.size() - std::min(text.size(), count);
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return text.substr(at);
}

}  // namespace

std::string with_short_values(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const std::size_t end = c == '"' || c == '[' || c == '{' ? end_of_value(text, at) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += c;
      ++at;
      continue;
    }
    const std::string_view value = text.substr(at, end - at);
    if (columns(value) <= limit) {
      out += value;
    } else {
      const std::size_t tail = limit / 3;
      out += shortened(value, limit - tail);
      out += ' ';
      out += last_part(value, tail);
    }
    at = end;
  }
  return out;
}

std::string as_sentence(std::string_view text) {
  std::string out(text);
  if (out.empty()) return out;
  const bool path = out.substr(0, out.find(' ')).find('/') != std::string::npos;
  if (!path && out.front() >= 'a' && out.front() <= 'z') out.front() = static_cast<char>(out.front() - 'a' + 'A');
  if (out.back() != '.' && out.back() != '!' && out.back() != '?') out += '.';
  return out;
}

std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string counted(std::uint64_t number, std::string_view singular) {
  return grouped(number) + ' ' + std::string(singular) + (number == 1 ? "" : "s");
}

std::string duration_text(std::int64_t ns) {
  if (ns < 0) return "–";
  const auto value = static_cast<double>(ns);
  if (ns < 1'000) return fmt::format("{} ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.3g} µs", value / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.3g} ms", value / 1e6);
  if (ns < 120'000'000'000) return fmt::format("{:.3g} s", value / 1e9);
  const std::int64_t seconds = ns / 1'000'000'000;
  if (seconds < 7200) return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
}

std::string seconds_text(std::int64_t ns) {
  return ns < 0 ? "–" : fmt::format("{:.3f} s", static_cast<double>(ns) / 1e9);
}

std::string plain_text(const Value& value) { return value.is_string() ? value.string() : value.to_json(); }

}  // namespace ordeal
