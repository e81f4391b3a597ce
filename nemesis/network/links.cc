#include "nemesis/network/links.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>

#include "base/text.h"
#include "nemesis/node/agent_program.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

// "fe800000000000000042acfffe110002" -> "fe80::42:acff:fe11:2"; empty when it is no address.
std::string v6_text(std::string_view hex) {
  if (hex.size() != 32) return "";
  std::array<unsigned char, 16> bytes{};
  for (std::size_t i = 0; i < 16; ++i) {
    unsigned value = 0;
    for (const char c : hex.substr(2 * i, 2)) {
      const std::size_t digit = std::string_view("0123456789abcdef").find(c);
      if (digit == std::string_view::npos) return "";
      value = value * 16 + static_cast<unsigned>(digit);
    }
    bytes[i] = static_cast<unsigned char>(value);
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  return ::inet_ntop(AF_INET6, bytes.data(), text.data(), text.size()) == nullptr ? "" : text.data();
}

void add(std::vector<std::string>& list, std::string one) {
  if (!one.empty() && std::find(list.begin(), list.end(), one) == list.end()) list.push_back(std::move(one));
}

// The routing table's own addresses are the leaves "|-- ADDRESS" that are followed by "/32 host LOCAL".
void parse_fib_line(const std::string& line, std::string& leaf, NodeAddresses& out) {
  const auto mark = line.find("|-- ");
  if (mark != std::string::npos) {
    leaf = line.substr(mark + 4);
  } else if (line.find("/32 host LOCAL") != std::string::npos && !leaf.starts_with("127.")) {
    add(out.v4, leaf);
  }
}

// address, interface, prefix length, scope (00 global, 20 link, 10 host), flags, name.
void parse_inet6_line(const std::string& line, NodeAddresses& out) {
  std::istringstream fields(line);
  std::string address, interface, length, scope;
  if (!(fields >> address >> interface >> length >> scope)) return;
  if (scope == "00") add(out.v6, v6_text(address));
  if (scope == "20") add(out.v6_link, v6_text(address));
}

std::string shell_probe_script(const std::vector<std::string>& addresses, int port, int wait_ms) {
  std::string out(kScriptHead);
  out += fmt::format(R"(probe() {{
  said=$(timeout {}.{:03} bash -c 'exec 3<>"/dev/tcp/$0/{}"' "$1" 2>&1)
  code=$?
  case "$code:$said" in
    0:* | *refused*) echo "reach $1 open 0" ;;
    124:* | *unreachable* | *"No route"* | *"timed out"*) echo "reach $1 silent 0" ;;
    *) echo "reach $1 unknown 0" ;;
  esac
}}
)",
                     wait_ms / 1000, wait_ms % 1000, port);
  for (std::size_t i = 0; i < std::min(addresses.size(), kShellProbes); ++i) {
    out += "probe " + shell_quote(addresses[i]) + " &\n";
  }
  out += "wait\n";
  return out;
}

// What one node says of these addresses, in lines "reach ADDRESS WHAT US".
Result<std::string> ask_node(Node& node, std::string_view id, bool agent_there,
                             const std::vector<std::string>& addresses, int port, int wait_ms, Deadline deadline) {
  const std::vector<std::string> words = {"probe", "reach", std::to_string(port), std::to_string(wait_ms),
                                          join(addresses, ",")};
  auto said = agent_there ? run_agent(node, id, words, deadline) : run_agent_once(node, id, words, deadline);
  const bool no_agent =
      !said && (said.error().code == ErrorCode::unsupported || said.error().code == ErrorCode::remote);
  if (!no_agent || deadline.passed()) return said;
  return run_ok(node, root_script(shell_probe_script(addresses, port, wait_ms), deadline));
}

}  // namespace

std::string addresses_script() {
  return std::string(kScriptHead) +
         "echo controller ${SSH_CONNECTION%% *}\n"
         "missing=\n"
         "for tool in iptables iptables-restore ip6tables ip6tables-restore bash timeout; do\n"
         "  command -v $tool >/dev/null || missing=\"$missing $tool\"\n"
         "done\n"
         "echo missing $missing\n"
         "echo fib; cat /proc/net/fib_trie\n"
         "echo inet6; cat /proc/net/if_inet6 2>/dev/null\n"
         "exit 0\n";
}

Result<NodeAddresses> parse_addresses(std::string_view output) {
  NodeAddresses out;
  std::istringstream lines{std::string(output)};
  std::string line;
  std::string section;
  std::string leaf;
  while (std::getline(lines, line)) {
    if (line == "fib" || line == "inet6") {
      section = line;
    } else if (section.empty() && line.starts_with("controller ")) {
      out.controller = line.substr(11);
    } else if (section.empty() && line.starts_with("missing ")) {
      out.missing = line.substr(8);
    } else if (section == "fib") {
      parse_fib_line(line, leaf, out);
    } else if (section == "inet6") {
      parse_inet6_line(line, out);
    }
  }
  if (out.v4.empty() && out.v6.empty()) {
    return fail(ErrorCode::unsupported, "no address found in /proc/net/fib_trie and /proc/net/if_inet6");
  }
  return out;
}

LinksSeen probe_links(const Cluster& cluster, std::string_view id, bool agent_there, const std::vector<Probe>& probes,
                      int port, int wait_ms, Deadline deadline) {
  std::map<std::size_t, std::set<std::string>> asked;
  for (const Probe& probe : probes) asked[probe.from].insert(probe.address);
  std::vector<std::size_t> from;
  for (const auto& [node, addresses] : asked) from.push_back(node);
  const auto results = on_each(from, [&](std::size_t node) {
    const auto& addresses = asked.at(node);
    return ask_node(cluster.at(node), id, agent_there, {addresses.begin(), addresses.end()}, port, wait_ms, deadline);
  });
  LinksSeen out;
  std::map<std::pair<std::size_t, std::string>, Link> seen;
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::istringstream words(results[i] ? *results[i] : "");
    std::string reach;
    std::string address;
    std::string state;
    double us = 0;
    while (words >> reach >> address >> state >> us) {
      const Link link = state == "open" ? Link::open : state == "silent" ? Link::silent : Link::unknown;
      seen[{from[i], address}] = link;
      if (link == Link::open) out.slowest_ms = std::max(out.slowest_ms, us / 1000);
    }
  }
  for (const Probe& probe : probes) {
    const auto found = seen.find({probe.from, probe.address});
    out.links.push_back(found == seen.end() ? Link::unknown : found->second);
  }
  return out;
}

}  // namespace ordeal
