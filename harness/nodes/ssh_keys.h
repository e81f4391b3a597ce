#pragma once
// Ed25519 keys in OpenSSH's file formats, made in memory.
//
// A cluster makes one for its client and one for each node's host key; starting ssh-keygen for each would take longer
// than all of them together. Ed25519 because libssh2 1.10 cannot use RSA keys with a current OpenSSH.
// The format of private keys: PROTOCOL.key of OpenSSH. Thread-safety: pure functions.

#include <string>

#include "base/error.h"

namespace ordeal::nodes {

struct SshKeyPair {
  std::string private_key;  // the text of an unencrypted id_ed25519 file
  std::string public_key;   // "ssh-ed25519 AAAA…", without comment and newline
};

// `comment` is what ssh-add and logs show.
[[nodiscard]] Result<SshKeyPair> make_ssh_key(const std::string& comment);

}  // namespace ordeal::nodes
