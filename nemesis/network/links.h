#pragma once
// Links: whether packets really pass between two nodes, observed by trying.
//
// A probe is a TCP connection that one node opens to another: an accepted and a refused one both prove that packets
// pass; only silence says that they do not. The agent asks all of a node's links at once from one process
// (nemesis/programs/agent/reach_probe.h). Where it cannot run (another kind of machine, no program may be run where it
// is put) the shell does it for the first kShellProbes links of the node: bash's /dev/tcp under timeout(1), which are
// on nearly every machine, while ping, nc and python are not. Neither shares anything with the injector, which speaks
// to iptables.
//
// Thread-safety: pure functions.

#include <cstddef>
#include <string>
#include <string_view>
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

struct LinksSeen {
  std::vector<Link> links;  // in the order of the probes; unknown: the node could not be asked or could not probe
  double slowest_ms = 0;    // until the last answer that came; 0: nobody measured it
};

// A process for each link: more of them at once would take longer than anybody waits.
inline constexpr std::size_t kShellProbes = 20;

// Sends all probes at once; takes as long as `wait_ms` when a link is silent. `id` is that of the fault; `agent_there`:
// the agent is in its folder on all nodes that probe, else it is sent there and removed again.
[[nodiscard]] LinksSeen probe_links(const Cluster& cluster, std::string_view id, bool agent_there,
                                    const std::vector<Probe>& probes, int port, int wait_ms, Deadline deadline);

}  // namespace ordeal
