#pragma once
// Proving to a server who we are.
//
// Order: each identity file (through the agent if that holds the key, so that keys with a passphrase work), then the
// other keys of the agent, then the password (password, then keyboard-interactive). The files come before the rest of
// the agent because sshd closes the connection after six attempts (MaxAuthTries), and an agent may hold many keys.

#include <string>
#include <vector>

#include "harness/control/ssh_session.h"

namespace ordeal {

struct SshCredentials {
  std::string user;
  std::vector<std::string> identity_files;
  bool identities_explicit = false;  // named by the user: a missing file is worth a word in the error
  bool identities_only = false;      // no other key of the agent
  bool use_agent = true;
  std::string agent_socket;  // empty: $SSH_AUTH_SOCK
  std::string password;
};

// Errors: auth (the message lists what was tried and why each failed), timeout, disconnected.
[[nodiscard]] Result<void> authenticate(SshSession& session, const SshCredentials& credentials, Deadline deadline);

}  // namespace ordeal
