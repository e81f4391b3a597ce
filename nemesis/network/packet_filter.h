#pragma once
// Packet filter: the iptables half of faults of the network, as scripts and as the counters read back.
//
// Each injection has a chain of its own, ORDEAL-<id>, in the tables that it needs of iptables and, where addresses call
// for it, of ip6tables, with a jump at the top of a hook. iptables-restore installs chain, rules and jump in one step
// and leaves every other rule alone; removal names this chain only. iptables is taken, not nft, since it works on both
// kernels' back-ends and everybody can read what it did.
//
// Thread-safety: pure functions.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

// What is done with some packets.
struct FilterRule {
  std::string peer;    // the source address; empty: any, in IPv4 and IPv6 as far as there are rules with addresses
  std::string match;   // further conditions, as iptables has them: "-p tcp --dport 80"; empty: none
  std::string action;  // "-j DROP"; empty: they are only counted, to show that they arrive
};

// The injection's chain in one table.
struct FilterChain {
  std::string table = "filter";
  std::string hook = "INPUT";
  std::vector<FilterRule> rules;
};

[[nodiscard]] std::string chain_name(std::string_view id);
[[nodiscard]] bool is_v6(std::string_view address);

// `match` for the packets from or to some ports, one for TCP and one for UDP; {""}, everything, when there are none.
[[nodiscard]] std::vector<std::string> port_matches(const std::vector<int>& ports);

// Installs the rules; run twice it does no more than once. When no rule of any chain has an address, they are installed
// for IPv6, too, if the node has ip6tables.
[[nodiscard]] std::string filter_install_script(std::string_view id, const std::vector<FilterChain>& chains);
// The body of the undo script: removes jumps and chains (their rules do not matter) for IPv4 and IPv6; exits non-zero
// when something of it is left.
[[nodiscard]] std::string filter_remove_script(std::string_view id, const std::vector<FilterChain>& chains);
// Prints the rules of the injection's chains with their counters.
[[nodiscard]] std::string filter_counters_script(std::string_view id);
// Packets by source address, from the output of the above.
[[nodiscard]] std::map<std::string, std::uint64_t> parse_counters(std::string_view output);

}  // namespace ordeal
