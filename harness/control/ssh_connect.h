#pragma once
// From an endpoint to an open, verified, authenticated connection, over jump hosts if need be.
//
// Thread-safety: values and free functions.

#include <memory>
#include <string>
#include <vector>

#include "harness/control/ssh_auth.h"
#include "harness/control/ssh_node.h"
#include "harness/control/ssh_session.h"

namespace ordeal {

// Whether a host may show a key that known_hosts does not have (StrictHostKeyChecking).
enum class HostKeyPolicy {
  strict,      // no
  accept_new,  // yes, and it is added to known_hosts; a changed key is still an error
  off,         // nothing is verified
};

// One machine on the way, with every setting decided.
struct SshHop {
  std::string name;  // how the user calls it
  std::string host;  // what is connected to
  int port = 22;
  std::string host_key_name;  // what it is called in known_hosts
  int host_key_port = 22;     // a HostKeyAlias stands there without a port
  std::vector<std::string> known_hosts_files;
  HostKeyPolicy host_keys = HostKeyPolicy::strict;
  SshCredentials credentials;
};

struct SshRoute {
  std::vector<SshHop> hops;  // the jump hosts in order, then the node itself
  std::chrono::milliseconds connect_timeout{10'000};
  std::vector<std::string> notes;  // what was skipped in the configuration; said when connecting fails
};

// Fills in from the configuration what the endpoint leaves open. Errors: input (a broken configuration), unsupported
// (it asks for something we do not have).
[[nodiscard]] Result<SshRoute> resolve_route(const SshEndpoint& endpoint);

// Errors: unreachable, timeout, host_key, auth, disconnected.
[[nodiscard]] Result<std::unique_ptr<SshSession>> connect_ssh(const SshRoute& route, Deadline deadline);

}  // namespace ordeal
