#pragma once
// The first process of a local node: it builds the node from the inside, starts its sshd and reaps its orphans.
//
// It is process 1 of the node's pid namespace: when it dies, the kernel kills every process of the node, stopped ones
// too. It dies with its keeper. Thread-safety: to be called in a freshly forked process with a single thread.

#include <string>
#include <vector>

#include "base/error.h"
#include "harness/nodes/node_root.h"
#include "harness/nodes/rtnetlink.h"

namespace ordeal::nodes {

struct NodeSpec {
  std::string name;
  std::string address;
  std::string address6;  // empty: no IPv6
  HardwareAddress hardware{};
  std::vector<Neighbour> neighbours;  // the other nodes and the hub
  int prefix_length = 24;
  int prefix_length6 = 64;
  std::string sshd;  // absolute path of the program
  std::string cluster;
  NodeRootOptions root;
};

// Where things of Ordeal lie in a node.
inline constexpr const char* kSshdConfig = "/run/ordeal/sshd_config";
inline constexpr const char* kHostKey = "/run/ordeal/ssh_host_ed25519_key";
inline constexpr const char* kAuthorizedKeys = "/run/ordeal/authorized_keys";

// Never returns. Requires: the caller was forked into a new pid namespace. `hub` is a socket of the hub's network
// namespace with the bridge of index `bridge`. To `status` goes one line: "ok" or the error; to `log` what sshd says.
// The end of `lifeline` (a pipe whose other end only the keeper holds) ends the node.
[[noreturn]] void run_node(const NodeSpec& spec, Rtnetlink& hub, int bridge, int status, int log, int lifeline);

}  // namespace ordeal::nodes
