#include "base/text.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

namespace ordeal {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view without(std::string_view text, std::string_view around) {
  const std::size_t begin = text.find_first_not_of(around);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(around) + 1 - begin);
}

}  // namespace

std::string_view trimmed(std::string_view text) { return without(text, kBlanks); }

std::vector<std::string> fields(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  while (true) {
    const std::size_t at = text.find(separator);
    pieces.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> words;
  for (const std::string& piece : fields(text, separator)) {
    if (const std::string_view word = without(piece, " "); !word.empty()) words.emplace_back(word);
  }
  return words;
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> out = fields(text, '\n');
  if (out.back().empty()) out.pop_back();
  return out;
}

std::string join(const std::vector<std::string>& pieces, std::string_view separator) {
  return fmt::format("{}", fmt::join(pieces, separator));
}

Result<std::pair<std::string, std::string>> key_value(const std::string& text) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos || at == 0) {
    return fail(ErrorCode::usage, fmt::format("--set: KEY=VALUE was expected, found \"{}\"", text));
  }
  return std::pair{text.substr(0, at), text.substr(at + 1)};
}

namespace {

// Whether a terminal obeys it.
bool is_obeyed(std::uint32_t c) {
  if (c < 0x20) return c != '\n' && c != '\t';
  const bool turns =
      c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || turns;
}

// Requires: `bytes` is one character in UTF-8.
std::uint32_t code_point(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() == 1) return first;
  std::uint32_t out = first & (0xffu >> (bytes.size() + 1));
  for (const char c : bytes.substr(1)) out = out << 6 | (static_cast<unsigned char>(c) & 0x3fu);
  return out;
}

}  // namespace

std::size_t utf8_sequence_length(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const auto follows = [&](std::size_t k, unsigned low, unsigned high) {
    return k < text.size() && byte(k) >= low && byte(k) <= high;
  };
  const unsigned char lead = byte(i);
  if (lead >= 0xC2 && lead <= 0xDF) return follows(i + 1, 0x80, 0xBF) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return follows(i + 1, low, high) && follows(i + 2, 0x80, 0xBF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return follows(i + 1, low, high) && follows(i + 2, 0x80, 0xBF) && follows(i + 3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

std::string visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = utf8_length(text, i);
    if (n == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i++]));
      continue;
    }
    const std::string_view character = text.substr(i, n);
    i += n;
    const std::uint32_t c = code_point(character);
    if (is_obeyed(c)) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out += character;
    }
  }
  return out;
}

std::string visible_in_line(std::string_view text) {
  std::string out;
  for (const char c : visible(text)) {
    if (c == '\n' || c == '\t') {
      out += c == '\n' ? "\\u000a" : "\\u0009";
    } else {
      out += c;
    }
  }
  return out;
}

Result<std::size_t> parse_size(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  if (unit.ends_with("iB"))
    unit.remove_suffix(2);
  else if (unit.ends_with('B'))
    unit.remove_suffix(1);
  double factor = 0;
  if (unit.empty())
    factor = 1;
  else if (unit == "K" || unit == "k")
    factor = 1024.0;
  else if (unit == "M")
    factor = 1024.0 * 1024;
  else if (unit == "G")
    factor = 1024.0 * 1024 * 1024;
  if (error != std::errc() || factor == 0 || !(number > 0) || number * factor > 1e18) {
    return fail(ErrorCode::usage, fmt::format("a size such as 512M or 4G was expected, found \"{}\"", text));
  }
  return static_cast<std::size_t>(number * factor);
}

}  // namespace ordeal
