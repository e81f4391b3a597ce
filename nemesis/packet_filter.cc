#include "nemesis/packet_filter.h"

#include <fmt/format.h>

#include <cstdlib>
#include <sstream>

#include "harness/control/node.h"
#include "nemesis/node_state.h"

namespace ordeal {
namespace {

// The lines of one table for iptables-restore, without the jump; empty when it has nothing to do.
std::string table_rules(const std::string& chain, const FilterRules& rules, bool v6) {
  std::string out;
  for (const auto& address : rules.drop) {
    if (is_v6(address) == v6) out += fmt::format("-A {} -s {} -j DROP\n", chain, address);
  }
  for (const auto& address : rules.count) {
    if (is_v6(address) == v6) out += fmt::format("-A {} -s {}\n", chain, address);
  }
  return out;
}

}  // namespace

std::string chain_name(std::string_view id) { return fmt::format("ORDEAL-{}", id); }

bool is_v6(std::string_view address) { return address.find(':') != std::string_view::npos; }

std::string filter_install_script(std::string_view id, const FilterRules& rules) {
  const std::string chain = chain_name(id);
  std::string out(kScriptHead);
  for (const bool v6 : {false, true}) {
    const std::string lines = table_rules(chain, rules, v6);
    if (lines.empty()) continue;
    const char* tool = v6 ? "ip6tables" : "iptables";
    // The chain line empties the chain if it is there; the jump is put in only when it is not.
    out += fmt::format(
        "jump='-I INPUT 1 -j {0}'\n"
        "{1} -w 5 -C INPUT -j {0} 2>/dev/null && jump='# in place'\n"
        "printf '%s\\n' '*filter' ':{0} - [0:0]' {2} \"$jump\" COMMIT | {1}-restore -w 5 -n || exit 1\n",
        chain, tool, shell_quote(std::string_view(lines).substr(0, lines.size() - 1)));
  }
  return out;
}

std::string filter_remove_script(std::string_view id) {
  return fmt::format(R"(for tool in iptables ip6tables; do
  command -v $tool >/dev/null || continue
  while $tool -w 5 -D INPUT -j {0} 2>/dev/null; do :; done
  $tool -w 5 -F {0} 2>/dev/null
  $tool -w 5 -X {0} 2>/dev/null
  said=$($tool -w 5 -n -L {0} 2>&1) && {{ echo "$tool: chain {0} is still there" >&2; exit 1; }}
  case "$said" in *lock* | *ermission* | *temporarily*) echo "$said" >&2; exit 1 ;; esac
done)",
                     chain_name(id));
}

std::string filter_counters_script(std::string_view id) {
  return fmt::format("{0}for tool in iptables ip6tables; do $tool -w 5 -v -S {1} 2>/dev/null; done\nexit 0\n",
                     kScriptHead, chain_name(id));
}

std::map<std::string, std::uint64_t> parse_counters(std::string_view output) {
  std::map<std::string, std::uint64_t> out;
  std::istringstream lines{std::string(output)};
  std::string line;
  while (std::getline(lines, line)) {  // -A ORDEAL-x -s 10.0.0.2/32 -c 3 180 -j DROP
    std::istringstream words(line);
    std::string word;
    std::string source;
    while (words >> word) {
      if (word == "-s" && words >> source) {
        source = source.substr(0, source.find('/'));
      } else if (word == "-c" && words >> word && !source.empty()) {
        out[source] += std::strtoull(word.c_str(), nullptr, 10);
      }
    }
  }
  return out;
}

}  // namespace ordeal
