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
