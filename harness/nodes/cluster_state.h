#pragma once
// ClusterState: what is known about a local cluster from outside: its directory, its keeper and its nodes.
//
// Every local cluster has a directory (mode 0700) below the runtime directory, named after the cluster:
//
//     cluster.json   this structure        inventory    for `--nodes ssh:FILE`      ssh_config   for the ssh client
//     id_ed25519     the client's key      known_hosts  the host keys of all nodes
//
// The keeper (keeper.h) makes the directory, holds an flock on it as long as it lives and removes it at its end.
// Whoever obtains the lock knows that the keeper is dead and the directory stale; no process id is ever trusted for
// that. Thread-safety: value types and pure functions over the file system.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"

namespace ordeal::nodes {

struct LocalNode {
  std::string name;      // also its host name
  std::string address;   // IPv4
  std::string address6;  // IPv6; empty when this kernel has none
  pid_t pid = 0;         // of the node's first process, seen from the host
  std::string host_key;  // "ssh-ed25519 AAAA…"
};

struct ClusterState {
  std::string name;
  std::string directory;      // absolute
  pid_t keeper = 0;           // its network namespace is the hub that all nodes are plugged into
  std::int64_t up_since = 0;  // seconds since 1970
  std::string storage;        // where the nodes' writes go; empty: memory
  std::string memory_group;   // a control group with one for each node; empty: their memory has no limit
  std::string hub_address;    // the controller's address among the nodes
  std::vector<LocalNode> nodes;

  [[nodiscard]] std::string identity_file() const { return directory + "/id_ed25519"; }
  [[nodiscard]] std::string known_hosts_file() const { return directory + "/known_hosts"; }
  [[nodiscard]] std::string inventory_file() const { return directory + "/inventory"; }
  [[nodiscard]] std::string ssh_config_file() const { return directory + "/ssh_config"; }
  [[nodiscard]] std::string network_namespace() const { return "/proc/" + std::to_string(keeper) + "/ns/net"; }
  [[nodiscard]] const LocalNode* find(const std::string& node) const;

  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] static Result<ClusterState> from_json(const std::string& text);
};

// Where clusters have their directories: $ORDEAL_RUNTIME_DIR, or else $XDG_RUNTIME_DIR/ordeal, or else /run/ordeal for
// root, or else /tmp/ordeal-<uid>.
[[nodiscard]] std::string default_runtime_directory();

// Errors: usage, when it is not a plain file name of letters, digits, '.', '_' and '-' with at most 64 characters.
[[nodiscard]] Result<void> check_cluster_name(const std::string& name);

// The lock on a cluster's directory; given up when it goes out of scope.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  explicit DirectoryLock(Descriptor directory) : directory_(std::move(directory)) {}
  [[nodiscard]] bool held() const { return static_cast<bool>(directory_); }

 private:
  Descriptor directory_;  // flock(2) goes with it
};

// Makes the directory of a new cluster and locks it; a stale one of the same name is removed first. Errors: usage, when
// a cluster of this name is up; io, permission.
[[nodiscard]] Result<DirectoryLock> claim_directory(const std::string& directory);
// Writes the files of a cluster. `private_key` is the client's.
[[nodiscard]] Result<void> write_cluster_files(const ClusterState& state, const std::string& private_key);
// Removes a cluster's directory, and the runtime directory when it was the last.
void remove_directory(const std::string& directory);

// The inventory that `--nodes ssh:FILE` reads, and the configuration for the ssh client.
[[nodiscard]] std::string inventory_text(const ClusterState& state);
[[nodiscard]] std::string ssh_config_text(const ClusterState& state);

// True when the keeper of the cluster in this directory lives.
[[nodiscard]] bool is_up(const std::string& directory);
// The state of a cluster that is up. Errors: not_found, when there is none of this name; the message lists those that
// are up. A stale directory is removed on the way.
[[nodiscard]] Result<ClusterState> find_cluster(const std::string& runtime_directory, const std::string& name);
// All clusters that are up, by name; stale directories are removed on the way and their names appended to `cleaned`.
[[nodiscard]] std::vector<ClusterState> list_clusters(const std::string& runtime_directory,
                                                      std::vector<std::string>* cleaned = nullptr);

// Asks the keeper to take the cluster down and waits until nothing of it is left; kills the keeper, and with it the
// nodes, when that takes longer than five seconds. Errors: timeout, permission.
[[nodiscard]] Result<void> take_down(const ClusterState& state);

}  // namespace ordeal::nodes
