#pragma once
// Cluster addresses: by which addresses the nodes of a cluster know each other, and whether they have the tools with
// which faults of the network tell packets apart. Thread-safety: immutable once looked up.

#include <map>
#include <string>
#include <vector>

#include "nemesis/network/links.h"

namespace ordeal {

class ClusterAddresses {
 public:
  // Asks all nodes. Errors: remote, unreachable; unsupported, when a node has no address.
  [[nodiscard]] static Result<ClusterAddresses> look_up(const Cluster& cluster, Deadline deadline);

  // The source addresses by which node `at` tells the packets of `from` from those of all nodes but `all_from`.
  // Addresses that several nodes have (a container bridge, a virtual address) cannot, and are left out, as is IPv6 on a
  // node that has no more of it than link-local addresses and no tool for it. Errors: unsupported, when none is left,
  // when a tool is missing for one, or when the controller reaches `at` from one of them: what is done to these packets
  // would be done to the controller's.
  [[nodiscard]] Result<std::vector<std::string>> sources(std::size_t at, std::size_t from,
                                                         const std::vector<std::size_t>& all_from) const;

  // Where `from` can reach `to`: the address that the cluster uses and, where both have IPv6, one of that, too.
  [[nodiscard]] std::vector<std::string> reachable(std::size_t from, std::size_t to) const;

  // All that a node has.
  [[nodiscard]] std::vector<std::string> all(std::size_t node) const;

 private:
  explicit ClusterAddresses(const Cluster& cluster) : cluster_(&cluster) {}
  [[nodiscard]] Result<void> need_tool_for(std::size_t node, const std::string& address) const;
  const Cluster* cluster_;  // outlives this
  std::vector<NodeAddresses> nodes_;
  std::map<std::string, std::vector<std::size_t>> owners_;  // of each address
};

}  // namespace ordeal
