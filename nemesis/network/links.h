#pragma once
// Links: whether packets really pass between two nodes, observed by trying.
//
// A probe is a TCP connection that one node opens to another (bash's /dev/tcp under timeout(1): both are on nearly
// every machine, while ping, nc and python are not). An accepted and a refused connection both prove that packets pass;
// only silence says that they do not. It shares nothing with the injector, which speaks to iptables.
//
// Thread-safety: pure functions.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "harness/interfaces/target.h"

namespace ordeal {

// Where a node can be reached, as it says itself.
struct NodeAddresses {
  std::vector<std::string> v4;       // without loopback
  std::vector<std::string> v6;       // global and unique-local
  std::vector<std::string> v6_link;  // link-local
  std::string controller;            // from where the controller's SSH connection comes, when sshd told
  std::string missing;               // tools that the node lacks: "iptables-restore ip6tables"
};

// Asks the kernel (/proc/net), so that no tool is needed. The script needs no root.
[[nodiscard]] std::string addresses_script();
[[nodiscard]] Result<NodeAddresses> parse_addresses(std::string_view output);

// One probe: from a node (its index) to an address of another.
struct Probe {
  std::size_t from = 0;
  std::size_t to = 0;
  std::string address;
  friend bool operator==(const Probe&, const Probe&) = default;
};

enum class Link { open, silent, unknown };

// Sends all probes at once, one script per probing node; takes as long as `wait_ms` when a link is silent.
// The answers are in the order of `probes`; unknown: the node could not be asked or could not probe.
[[nodiscard]] std::vector<Link> probe_links(const Cluster& cluster, const std::vector<Probe>& probes, int port,
                                            int wait_ms, Deadline deadline);

}  // namespace ordeal
