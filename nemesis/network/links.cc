#include "nemesis/network/links.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

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

std::string probe_script(const std::vector<std::string>& addresses, int port, int wait_ms) {
  std::string out(kScriptHead);
  out += fmt::format(R"(probe() {{
  said=$(timeout {}.{:03} bash -c 'exec 3<>"/dev/tcp/$0/{}"' "$1" 2>&1)
  code=$?
  case "$code:$said" in
    0:* | *refused*) echo "$1 open" ;;
    124:* | *unreachable* | *"No route"* | *"timed out"*) echo "$1 silent" ;;
    *) echo "$1 unknown" ;;
  esac
}}
)",
                     wait_ms / 1000, wait_ms % 1000, port);
  for (const auto& address : addresses) out += "probe " + shell_quote(address) + " &\n";
  out += "wait\n";
  return out;
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

std::vector<Link> probe_links(const Cluster& cluster, const std::vector<Probe>& probes, int port, int wait_ms,
                              Deadline deadline) {
  std::vector<std::size_t> from;
  for (const Probe& probe : probes) {
    if (std::find(from.begin(), from.end(), probe.from) == from.end()) from.push_back(probe.from);
  }
  std::vector<std::string> scripts;
  for (const std::size_t node : from) {
    std::vector<std::string> addresses;
    for (const Probe& probe : probes) {
      if (probe.from == node) add(addresses, probe.address);
    }
    scripts.push_back(probe_script(addresses, port, wait_ms));
  }
  const auto results = run_scripts(cluster, from, scripts, deadline);
  std::map<std::pair<std::size_t, std::string>, Link> seen;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!results[i]) continue;
    std::istringstream words(*results[i]);
    std::string address;
    std::string state;
    while (words >> address >> state) {
      const Link link = state == "open" ? Link::open : state == "silent" ? Link::silent : Link::unknown;
      seen[{from[i], address}] = link;
    }
  }
  std::vector<Link> out;
  for (const Probe& probe : probes) {
    const auto found = seen.find({probe.from, probe.address});
    out.push_back(found == seen.end() ? Link::unknown : found->second);
  }
  return out;
}

}  // namespace ordeal
