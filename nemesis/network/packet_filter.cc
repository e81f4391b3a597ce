#include "nemesis/network/packet_filter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "harness/control/node.h"
#include "nemesis/node/node_state.h"

namespace ordeal {
namespace {

bool has_peers(const std::vector<FilterChain>& chains, bool v6) {
  return std::any_of(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return std::any_of(chain.rules.begin(), chain.rules.end(),
                       [&](const FilterRule& rule) { return !rule.peer.empty() && is_v6(rule.peer) == v6; });
  });
}

// The lines of one table for iptables-restore, without the jump.
std::string table_rules(const std::string& name, const FilterChain& chain, bool v6) {
  std::string out;
  for (const FilterRule& rule : chain.rules) {
    if (!rule.peer.empty() && is_v6(rule.peer) != v6) continue;
    out += "-A " + name;
    if (!rule.peer.empty()) out += " -s " + rule.peer;
    for (const std::string& part : {rule.match, rule.action}) out += part.empty() ? "" : " " + part;
    out += '\n';
  }
  return out;
}

}  // namespace

std::string chain_name(std::string_view id) { return fmt::format("ORDEAL-{}", id); }

bool is_v6(std::string_view address) { return address.find(':') != std::string_view::npos; }

std::vector<std::string> port_matches(const std::vector<int>& ports) {
  if (ports.empty()) return {""};
  std::vector<std::string> out;
  for (const char* protocol : {"tcp", "udp"}) {
    out.push_back(fmt::format("-p {} -m multiport --ports {}", protocol, fmt::join(ports, ",")));
  }
  return out;
}

std::string filter_install_script(std::string_view id, const std::vector<FilterChain>& chains) {
  const std::string name = chain_name(id);
  const bool any = !has_peers(chains, false) && !has_peers(chains, true);
  std::string out(kScriptHead);
  for (const bool v6 : {false, true}) {
    if (!any && !has_peers(chains, v6)) continue;
    const char* tool = v6 ? "ip6tables" : "iptables";
    if (any && v6) out += "command -v ip6tables-restore >/dev/null || exit 0\n";
    for (const FilterChain& chain : chains) {
      const std::string lines = table_rules(name, chain, v6);
      if (lines.empty()) continue;
      // The chain line empties the chain if it is there; the jump is put in only when it is not.
      out += fmt::format(
          "jump='-I {0} 1 -j {1}'\n"
          "{2} -w 5 -t {3} -C {0} -j {1} 2>/dev/null && jump='# in place'\n"
          "printf '%s\\n' '*{3}' ':{1} - [0:0]' {4} \"$jump\" COMMIT | {2}-restore -w 5 -n || exit 1\n",
          chain.hook, name, tool, chain.table, shell_quote(std::string_view(lines).substr(0, lines.size() - 1)));
    }
  }
  return out;
}

std::string filter_remove_script(std::string_view id, const std::vector<FilterChain>& chains) {
  std::string out;
  for (const FilterChain& chain : chains) {
    out += fmt::format(R"(for tool in iptables ip6tables; do
  command -v $tool >/dev/null || continue
  while $tool -w 5 -t {1} -D {2} -j {0} 2>/dev/null; do :; done
  $tool -w 5 -t {1} -F {0} 2>/dev/null
  $tool -w 5 -t {1} -X {0} 2>/dev/null
  said=$($tool -w 5 -t {1} -n -L {0} 2>&1) && {{ echo "$tool: chain {0} is still there" >&2; exit 1; }}
  case "$said" in *lock* | *ermission* | *temporarily*) echo "$said" >&2; exit 1 ;; esac
done
)",
                       chain_name(id), chain.table, chain.hook);
  }
  return out;
}

std::string filter_counters_script(std::string_view id) {
  return fmt::format(
      "{0}for tool in iptables ip6tables; do\n  for table in filter mangle; do $tool -w 5 -t $table -v -S "
      "{1}; done\ndone 2>/dev/null\nexit 0\n",
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
