#pragma once
// Packet filter: the iptables half of a partition, as scripts and as the counters read back.
//
// Each injection has a chain of its own, ORDEAL-<id>, in the filter table of iptables and, where addresses call for it,
// of ip6tables, with a jump at the top of INPUT. iptables-restore installs chain, rules and jump in one step and leaves
// every other rule alone; removal names this chain only. iptables is taken, not nft, since it works on both kernels'
// back-ends and everybody can read what it did.
//
// Thread-safety: pure functions.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/base/error.h"

namespace ordeal {

// What one node does with packets from the others.
struct FilterRules {
  std::vector<std::string> drop;   // source addresses whose packets are dropped
  std::vector<std::string> count;  // source addresses whose packets are only counted, to show that they arrive
};

[[nodiscard]] std::string chain_name(std::string_view id);
[[nodiscard]] bool is_v6(std::string_view address);

// Installs the rules; run twice it does no more than once.
[[nodiscard]] std::string filter_install_script(std::string_view id, const FilterRules& rules);
// The body of the undo script: removes jump and chain in both tables; exits 0 only when nothing of it is left.
[[nodiscard]] std::string filter_remove_script(std::string_view id);
// Prints the chain's rules with their counters.
[[nodiscard]] std::string filter_counters_script(std::string_view id);
// Packets by source address, from the output of the above.
[[nodiscard]] std::map<std::string, std::uint64_t> parse_counters(std::string_view output);

}  // namespace ordeal
