#pragma once
// What a private key file is, before it is used: its type, whether a passphrase protects it, and its public half.
// libssh2 answers all of these with "authentication failed"; a user needs to know which one it was.

#include <string>

#include "base/error.h"

namespace ordeal {

struct KeyFile {
  std::string type;         // "ssh-ed25519"; empty when the format does not tell without decrypting
  std::string public_blob;  // SSH's binary format; empty if unknown
  bool encrypted = false;
  bool rsa = false;
};

// Reads `path` and, if it exists, `path`.pub. A key that is ours and that others may read or write is refused, as
// ssh(1) does. Errors: not_found; permission, also for that; input (not a private key).
[[nodiscard]] Result<KeyFile> inspect_key_file(const std::string& path);

}  // namespace ordeal
