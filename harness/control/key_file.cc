#include "harness/control/key_file.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/base64.h"
#include "base/files.h"
#include "harness/control/node.h"
#include "harness/control/server_hello.h"

namespace ordeal {
namespace {

// The text between "-----BEGIN label-----" and "-----END".
std::string_view body_of(std::string_view text, std::string_view begin) {
  const std::size_t start = text.find(begin);
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start + begin.size());
  return text.substr(0, text.find("-----END"));
}

// PROTOCOL.key of OpenSSH: "openssh-key-v1\0", cipher, kdf, kdf options, number of keys, public key, private part.
bool read_openssh_key(std::string_view text, KeyFile& key) {
  std::string body(body_of(text, "-----BEGIN OPENSSH PRIVATE KEY-----"));
  std::erase_if(body, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
  const auto binary = base64_decode(body);
  if (!binary) return false;
  static constexpr std::string_view kMagic("openssh-key-v1\0", 15);
  std::string_view rest = *binary;
  if (!rest.starts_with(kMagic)) return false;
  rest.remove_prefix(kMagic.size());
  std::string_view cipher, kdf, options, blob;
  if (!take_ssh_string(rest, cipher) || !take_ssh_string(rest, kdf) || !take_ssh_string(rest, options)) return false;
  if (rest.size() < 4) return false;
  rest.remove_prefix(4);
  if (!take_ssh_string(rest, blob)) return false;
  key.encrypted = cipher != "none";
  key.public_blob = blob;
  return true;
}

void read_public_half(const std::string& path, KeyFile& key) {
  std::ifstream file(path + ".pub");
  std::string type, coded;
  if (!(file >> type >> coded)) return;
  if (auto blob = base64_decode(coded); blob && key_type_of_blob(*blob) == type) key.public_blob = std::move(*blob);
}

}  // namespace

Result<KeyFile> inspect_key_file(const std::string& path) {
  const auto read = read_text_file(path);
  if (!read) return fail(read.error().during("key file"));
  const std::string& text = *read;
  KeyFile key;
  if (text.find("-----BEGIN OPENSSH PRIVATE KEY-----") != std::string::npos) {
    if (!read_openssh_key(text, key))
      return fail(ErrorCode::input, "key file " + path + ": damaged OpenSSH private key");
  } else if (text.find("PRIVATE KEY-----") != std::string::npos) {
    key.encrypted = text.find("BEGIN ENCRYPTED PRIVATE KEY") != std::string::npos ||
                    text.find("Proc-Type: 4,ENCRYPTED") != std::string::npos;
    key.rsa = text.find("BEGIN RSA PRIVATE KEY") != std::string::npos;
  } else {
    return fail(ErrorCode::input, "key file " + path + ": not a private key" +
                                      (text.starts_with("ssh-") || text.starts_with("ecdsa-")
                                           ? " (this is a public key; name the file without .pub)"
                                           : ""));
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && status.st_uid == ::getuid() && (status.st_mode & 077) != 0) {
    return fail(
        ErrorCode::permission,
        fmt::format("key file {}: its permissions {:04o} let others read or change it, and it is not used (`chmod "
                    "600 {}`)",
                    path, status.st_mode & 07777, shell_quote(path)));
  }
  if (key.public_blob.empty()) read_public_half(path, key);
  key.type = key_type_of_blob(key.public_blob);
  key.rsa = key.rsa || key.type == "ssh-rsa";
  return key;
}

}  // namespace ordeal
