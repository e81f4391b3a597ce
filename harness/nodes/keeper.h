#pragma once
// The keeper: the process that owns a local cluster and outlives its controller by moments, to clean up.
//
// It is a fork of the controller, in a session of its own, so that neither Ctrl-C nor the controller's death by
// whatever signal reaches it. A socket connects the two; its end tells the keeper that the controller is gone. The
// keeper's network namespace is the hub: it holds the bridge into which all nodes are plugged. Nodes die with their
// keeper (PR_SET_PDEATHSIG and a pipe), each node's processes with the node's first one (its pid namespace), and
// namespaces, mounts and virtual cables with the last process in them. Hence nothing has to be undone step by step,
// and nothing is left when the keeper itself is killed, except the cluster's directory, which the next command removes.
//
// Thread-safety: run_keeper() is to be called in a freshly forked process. The controller may have had other threads:
// what they held locked stays so here. glibc sees to its own (memory, streams); no other library is called.

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/nodes/ssh_keys.h"

namespace ordeal::nodes {

struct KeeperPlan {
  int nodes = 5;
  std::string name;        // of the cluster
  std::string directory;   // to be made by the keeper
  std::string disk;        // a directory for the nodes' writes; empty: memory
  std::string sshd;        // absolute path
  std::size_t memory = 0;  // bytes that each node may hold; 0: no limit
  // Made before the fork: OpenSSL's locks may belong to threads that the keeper does not have.
  SshKeyPair client_key;
  std::vector<SshKeyPair> host_keys;  // one for each node
  std::chrono::milliseconds ready_timeout{60'000};
};

// Messages on the socket (SOCK_SEQPACKET). Keeper to controller, once: kReady and the ClusterState as JSON, or kFailed,
// a byte with the ErrorCode, and the message, after everything has been removed. Controller to keeper: kDetach (live on
// without a controller) or kQuit.
inline constexpr char kReady = 'R';
inline constexpr char kFailed = 'F';
inline constexpr char kDetach = 'D';
inline constexpr char kQuit = 'Q';

// Brings the cluster up, keeps it until told to quit (kQuit, SIGTERM, or the end of the socket), takes it down, exits.
[[noreturn]] void run_keeper(int socket, const KeeperPlan& plan);

}  // namespace ordeal::nodes
