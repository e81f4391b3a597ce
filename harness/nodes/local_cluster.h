#pragma once
// LocalCluster: nodes on this machine, made of Linux namespaces.
//
// start() forks the keeper (keeper.h), which builds the nodes and removes them again when stop() is called, the object
// is destroyed or this process dies, by whatever signal. detach() lets the cluster live on without this process.
// It needs root and Linux; check_local_nodes() says what is missing.
//
// Thread-safety: one thread per object. start() forks, so call it before the program starts threads of its own.

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "harness/nodes/cluster_state.h"

namespace ordeal::nodes {

inline constexpr int kMaxLocalNodes = 200;

struct LocalClusterOptions {
  int nodes = 5;                  // 1 … kMaxLocalNodes, called n1, n2, …
  std::string name;               // empty: one that no other cluster has
  std::string storage;            // a directory for what the nodes write; empty: memory
  std::string memory;             // that a node may hold: a size, "none"; empty: half of the machine's
  std::string runtime_directory;  // empty: default_runtime_directory()
  std::chrono::milliseconds ready_timeout{60'000};  // until every node answers SSH; longer for more than 50
};

class LocalCluster {
 public:
  // Brings the cluster up; when it returns, every node answers SSH. After an error nothing is left behind. Errors:
  // usage, permission (not root), not_found (no sshd), unsupported (the kernel cannot), timeout.
  [[nodiscard]] static Result<std::unique_ptr<LocalCluster>> start(const LocalClusterOptions& options);
  // Takes the cluster down unless it was detached.
  ~LocalCluster();
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  [[nodiscard]] const ClusterState& state() const { return state_; }

  // Moves the calling thread, and every thread, socket and process that it makes later, into the hub's network
  // namespace, from which the nodes are reached. The network of this machine is out of reach from then on.
  [[nodiscard]] Result<void> enter_network();

  // Of each node on which the kernel killed processes because the node had reached its memory limit, how many.
  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> killed_for_memory() const;

  // Lets the cluster live on until `ordeal nodes down`.
  void detach();
  // Takes the cluster down; when it returns, nothing of it is left. Errors: timeout.
  [[nodiscard]] Result<void> stop();

 private:
  LocalCluster(ClusterState state, int socket) : state_(std::move(state)), socket_(socket) {}

  ClusterState state_;
  int socket_ = -1;  // to the keeper; -1 once stopped or detached
};

// Moves the calling thread into a network namespace, e.g. /proc/<pid>/ns/net. Errors: not_found, permission.
[[nodiscard]] Result<void> enter_network_namespace(const std::string& path);

// Whether this process can make local nodes. Errors: permission, not_found, unsupported; the message says what to do.
[[nodiscard]] Result<void> check_local_nodes();

// The absolute path of a program: searched in $PATH and in the directories of system programs. Errors: not_found,
// naming the Debian package.
[[nodiscard]] Result<std::string> find_program(const std::string& name, const std::string& package);

}  // namespace ordeal::nodes
