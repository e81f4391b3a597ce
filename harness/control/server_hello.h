#pragma once
// What an SSH server says before anything is encrypted: its banner and its KEXINIT packet (RFC 4253, sections 4.2
// and 7.1), and the little of SSH's binary format that key files, known_hosts and agents share. libssh2 does not tell
// which host key types a server offered; without them "key exchange failed" could not be explained.

#include <string>
#include <string_view>
#include <vector>

namespace ordeal {

struct ServerHello {
  std::string banner;                       // "SSH-2.0-OpenSSH_9.2p1"; empty: no SSH server
  std::vector<std::string> host_key_types;  // empty: not received

  [[nodiscard]] bool offers_usable_host_key() const;  // one that libssh2 1.10 can verify
  [[nodiscard]] bool offers_only_rsa() const;
};

[[nodiscard]] ServerHello parse_server_hello(std::string_view bytes);

// Takes a length-prefixed string off the front of `bytes`; false if there is none.
[[nodiscard]] bool take_ssh_string(std::string_view& bytes, std::string_view& out);

// The type at the start of a public key blob: "ssh-ed25519"; empty if the blob is malformed.
[[nodiscard]] std::string key_type_of_blob(std::string_view blob);

// `text` for a message: control characters replaced by '?', at most `limit` characters.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit);

}  // namespace ordeal
