#include "nemesis/network/cluster_addresses.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "nemesis/network/packet_filter.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

bool is_literal(const std::string& address) {
  std::array<unsigned char, sizeof(in6_addr)> buffer{};
  return ::inet_pton(AF_INET, address.c_str(), buffer.data()) == 1 ||
         ::inet_pton(AF_INET6, address.c_str(), buffer.data()) == 1;
}

}  // namespace

Result<ClusterAddresses> ClusterAddresses::look_up(const Cluster& cluster, Deadline deadline) {
  std::vector<std::size_t> everyone(cluster.size());
  for (std::size_t i = 0; i < everyone.size(); ++i) everyone[i] = i;
  const auto found = on_each(everyone, [&](std::size_t node) {
    Command command = root_script(addresses_script(), deadline);
    command.sudo = false;  // sudo forgets from where the controller comes
    return run_ok(cluster.at(node), command);
  });
  if (auto all = all_done(found); !all) return fail(all.error().during("looking up the nodes' addresses"));
  ClusterAddresses out(cluster);
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto parsed = parse_addresses(*found[i]);
    if (!parsed) return fail(parsed.error().during(cluster.at(i).name()));
    out.nodes_.push_back(*std::move(parsed));
    for (const auto& address : out.all(i)) out.owners_[address].push_back(i);
  }
  return out;
}

std::vector<std::string> ClusterAddresses::all(std::size_t node) const {
  const NodeAddresses& own = nodes_[node];
  std::vector<std::string> out = own.v4;
  out.insert(out.end(), own.v6.begin(), own.v6.end());
  out.insert(out.end(), own.v6_link.begin(), own.v6_link.end());
  // Behind address translation the cluster's name for a node is none of its own addresses.
  const std::string& named = cluster_->at(node).address();
  if (is_literal(named) && std::find(out.begin(), out.end(), named) == out.end()) out.push_back(named);
  return out;
}

std::vector<std::string> ClusterAddresses::reachable(std::size_t from, std::size_t to) const {
  const NodeAddresses& peer = nodes_[to];
  std::vector<std::string> out;
  const std::string& named = cluster_->at(to).address();
  if (is_literal(named)) {
    out.push_back(named);
  } else if (!peer.v4.empty()) {
    out.push_back(peer.v4.front());
  }
  const bool both_v6 = !peer.v6.empty() && !nodes_[from].v6.empty();
  if (both_v6 && (out.empty() || !is_v6(out.front()))) out.push_back(peer.v6.front());
  return out;
}

Result<void> ClusterAddresses::need_tool_for(std::size_t node, const std::string& address) const {
  std::istringstream missing(nodes_[node].missing);
  std::string tool;
  while (missing >> tool) {
    if (!tool.starts_with("ip") || tool.starts_with("ip6") != is_v6(address)) continue;
    return fail(ErrorCode::unsupported, fmt::format("{}: packets are told apart by {}, which is not there; install the "
                                                    "package iptables on the node",
                                                    cluster_->at(node).name(), tool));
  }
  return {};
}

Result<std::vector<std::string>> ClusterAddresses::sources(std::size_t at, std::size_t from,
                                                           const std::vector<std::size_t>& all_from) const {
  const auto spared = [&](const std::string& address) {
    const auto& owners = owners_.at(address);
    return std::any_of(owners.begin(), owners.end(), [&](std::size_t owner) {
      return std::find(all_from.begin(), all_from.end(), owner) == all_from.end();
    });
  };
  const bool v4_only = nodes_[at].v6.empty() && nodes_[at].missing.find("ip6tables") != std::string::npos;
  std::vector<std::string> out;
  for (auto& address : all(from)) {
    if (address == nodes_[at].controller) {
      return fail(
          ErrorCode::unsupported,
          fmt::format("the controller reaches {} from {}, an address of {}: what is done to the packets between "
                      "the two would be done to the controller's; run it from, or jump through, a machine that "
                      "is not part of the cluster",
                      cluster_->at(at).name(), address, cluster_->at(from).name()));
    }
    if (spared(address) || (v4_only && is_v6(address))) continue;
    if (auto tool = need_tool_for(at, address); !tool) return fail(tool.error());
    out.push_back(std::move(address));
  }
  if (out.empty()) {
    return fail(ErrorCode::unsupported, fmt::format("{} has no address of its own by which {} could know its packets",
                                                    cluster_->at(from).name(), cluster_->at(at).name()));
  }
  return out;
}

}  // namespace ordeal
