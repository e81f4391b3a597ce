#pragma once
// Where the nodes of a run come from: what `--nodes` says becomes a Cluster.
//
//     local:5         five nodes made of namespaces on this machine; they vanish with the NodeSet
//     ssh:FILE        the hosts of an inventory (inventory.h)
//     h1,h2,h3        hosts by the names under which `ssh` knows them
//
// Thread-safety: one thread; see open_nodes().

#include <memory>
#include <string>
#include <vector>

#include "checkers/base/error.h"
#include "harness/control/ssh_node.h"
#include "harness/nodes/local_cluster.h"
#include "harness/runner/options.h"
#include "harness/runner/target.h"

namespace ordeal::nodes {

// The options of local nodes: `local.storage`.
[[nodiscard]] std::vector<OptionSpec> local_options();

struct NodeSourceOptions {
  std::string storage;            // local nodes: LocalClusterOptions::storage
  std::string runtime_directory;  // local nodes: LocalClusterOptions::runtime_directory
  std::string name;               // local nodes: LocalClusterOptions::name

  // From the options declared with local_options().
  [[nodiscard]] static NodeSourceOptions from(const Options& options);
};

// The nodes of a run and what keeps them alive. Destroying it takes local nodes down, after the connections to them.
struct NodeSet {
  std::unique_ptr<LocalCluster> local;  // null unless local:N
  Cluster cluster;
  std::string spec;  // as given
};

// Errors of code usage for what no source understands; does not touch anything.
[[nodiscard]] Result<void> check_nodes(const std::string& spec);

// Makes the nodes available. Remote hosts are not connected to yet; local ones answer. For local nodes, and for an
// inventory that names a network namespace, the calling thread is moved into the network of the nodes, and with it
// all threads, sockets and processes that it makes later: call it on the main thread before there are others.
// Errors: usage, permission, not_found, unsupported, timeout.
[[nodiscard]] Result<NodeSet> open_nodes(const std::string& spec, const NodeSourceOptions& options = {});

// The endpoints by which a local cluster's nodes are reached from its hub.
[[nodiscard]] std::vector<SshEndpoint> endpoints(const ClusterState& state);

}  // namespace ordeal::nodes
