#pragma once
// Where the nodes of a run come from: what `--nodes` says becomes a Cluster.
//
//     local:5         five nodes made of namespaces on this machine; they vanish with the NodeSet
//     docker:5        five containers of this machine's Docker daemon; they vanish with the NodeSet
//     ssh:FILE        the hosts of an inventory (inventory.h)
//     h1,h2,h3        hosts by the names under which `ssh` knows them
//
// Thread-safety: one thread; see open_nodes().

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/options.h"
#include "harness/control/cluster.h"
#include "harness/control/ssh_node.h"
#include "harness/nodes/docker_cluster.h"
#include "harness/nodes/local_cluster.h"

namespace ordeal::nodes {

// The options of nodes that are made for a run: `local.storage`, `local.memory`, `docker.image`, `docker.arguments`;
// and what a run keeps or records on nodes of any kind: `nodes.…` (session/node_records.h).
[[nodiscard]] std::vector<OptionSpec> node_options();

struct NodeSourceOptions {
  std::string storage;            // local nodes: LocalClusterOptions::storage
  std::string memory;             // local nodes: LocalClusterOptions::memory
  std::string runtime_directory;  // local nodes: LocalClusterOptions::runtime_directory
  std::string name;               // local nodes: LocalClusterOptions::name

  std::string docker_image;      // containers: DockerClusterOptions::image
  std::string docker_arguments;  // containers: DockerClusterOptions::arguments

  // From the options declared with node_options().
  [[nodiscard]] static NodeSourceOptions from(const Options& options);
};

// The nodes of a run and what keeps them alive. Destroying it takes the nodes down that were made for it, after the
// connections to them.
struct NodeSet {
  std::unique_ptr<LocalCluster> local;    // null unless local:N
  std::unique_ptr<DockerCluster> docker;  // null unless docker:N
  Cluster cluster;
  std::string spec;  // as given

  // Whether the nodes, with all their processes and files, vanish with this object.
  [[nodiscard]] bool vanishes() const { return local != nullptr || docker != nullptr; }
};

// Errors of code usage for what no source understands; does not touch anything.
[[nodiscard]] Result<void> check_nodes(const std::string& spec);

// Whether they are made for a run and vanish with its controller, and so does whatever was done to them. False for what
// no source understands.
[[nodiscard]] bool are_made_for_run(const std::string& spec);

// Makes the nodes available. Remote hosts are not connected to yet; local ones and containers answer. For local nodes,
// and for an inventory that names a network namespace, the calling thread is moved into the network of the nodes, and
// with it all threads, sockets and processes that it makes later: call it on the main thread before there are others.
// Errors: usage, permission, not_found, unsupported, timeout.
[[nodiscard]] Result<NodeSet> open_nodes(const std::string& spec, const NodeSourceOptions& options = {});

// The endpoints by which a local cluster's nodes are reached from its hub.
[[nodiscard]] std::vector<SshEndpoint> endpoints(const ClusterState& state);

}  // namespace ordeal::nodes
