#include "nemesis/network/ports.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace ordeal {

Result<std::vector<int>> parse_ports(std::string_view text) {
  constexpr std::size_t kMax = 13;
  std::vector<int> out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    int port = 0;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), port);
    if (problem != std::errc() || end != word.data() + word.size() || port < 1 || port > 65535) {
      return fail(ErrorCode::usage,
                  fmt::format("\"{}\" is no port; 1 to 65535 were expected, several with commas", word));
    }
    out.push_back(port);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  if (out.size() > kMax) return fail(ErrorCode::usage, fmt::format("at most {} ports", kMax));
  return out;
}

std::string ports_text(const std::vector<int>& ports) { return fmt::format("{}", fmt::join(ports, ",")); }

}  // namespace ordeal
