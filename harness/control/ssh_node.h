#pragma once
// A node reached over SSH: the one implementation of Node, whatever kind of machine stands behind it.
//
// The node keeps a small pool of connections: a call takes an idle one or opens a new one, so concurrent callers
// never wait for each other. What is left open in the endpoint is taken from ~/.ssh/config, as `ssh` would.
//
// When a connection breaks, a command is repeated only if that is harmless: either it certainly did not start (the
// connection was found dead before the command was sent), or it is marked idempotent. Uploads and downloads write to
// a temporary file first and are repeated once.
//
// Thread-safety: the node may be used by many threads.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "harness/control/node.h"

namespace ordeal {

struct SshEndpoint {
  std::string name;                         // the node's name; also the key into ssh_config
  std::string host;                         // HostName; empty: from the configuration, else name
  int port = 0;                             // 0: from the configuration, else 22
  std::string user;                         // empty: from the configuration, else $USER
  std::vector<std::string> identity_files;  // empty: from the configuration, else ~/.ssh/id_ed25519, id_ecdsa
  std::string password;                     // empty: none
  bool use_agent = true;
  std::string known_hosts_file;  // empty: from the configuration, else ~/.ssh/known_hosts
  bool check_host_key = true;
  std::vector<std::string> jump;                      // "user@host:port" each; empty: from the configuration
  std::string config_file;                            // empty: ~/.ssh/config; "none": do not read one
  std::string sudo_password;                          // empty: sudo must work without one
  std::chrono::milliseconds connect_timeout{10'000};  // left at 10 s: ConnectTimeout of the configuration, if any
  std::string address;                                // Node::address(); empty: host
};

// Does not connect; the first call does. A broken configuration is also reported by the first call.
[[nodiscard]] std::unique_ptr<Node> make_ssh_node(SshEndpoint endpoint);

}  // namespace ordeal
