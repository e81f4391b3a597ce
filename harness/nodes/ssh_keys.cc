#include "harness/nodes/ssh_keys.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/base64.h"

namespace ordeal::nodes {

namespace {

constexpr std::size_t kKeySize = 32;
constexpr std::string_view kType = "ssh-ed25519";

void put_number(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
}

void put_string(std::string& out, std::string_view text) {
  put_number(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

// The private file: magic, "none" for cipher and key derivation, the public key, and the private part padded to the
// block size of 8 with 1, 2, 3, …
std::string private_file(std::string_view public_key, std::string_view seed, std::uint32_t check,
                         std::string_view comment) {
  std::string public_blob;
  put_string(public_blob, kType);
  put_string(public_blob, public_key);

  std::string secret;
  put_number(secret, check);  // twice: readers compare the two to tell a wrong passphrase
  put_number(secret, check);
  put_string(secret, kType);
  put_string(secret, public_key);
  put_string(secret, std::string(seed) + std::string(public_key));
  put_string(secret, comment);
  for (char pad = 1; secret.size() % 8 != 0; ++pad) secret += pad;

  std::string all("openssh-key-v1\0", 15);
  put_string(all, "none");
  put_string(all, "none");
  put_string(all, "");
  put_number(all, 1);
  put_string(all, public_blob);
  put_string(all, secret);

  const std::string text = base64_encode(all);
  std::string file = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
  static constexpr std::size_t kLine = 70;
  for (std::size_t at = 0; at < text.size(); at += kLine) file += text.substr(at, kLine) + "\n";
  return file + "-----END OPENSSH PRIVATE KEY-----\n";
}

}  // namespace

Result<SshKeyPair> make_ssh_key(const std::string& comment) {
  std::array<unsigned char, kKeySize> seed{};
  std::array<unsigned char, kKeySize> public_key{};
  std::uint32_t check = 0;
  if (RAND_bytes(seed.data(), static_cast<int>(seed.size())) != 1 ||
      RAND_bytes(reinterpret_cast<unsigned char*>(&check), sizeof check) != 1) {
    return fail(ErrorCode::internal, "making an SSH key: no random bytes from OpenSSL");
  }
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()), &EVP_PKEY_free);
  std::size_t length = public_key.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &length) != 1 || length != kKeySize) {
    return fail(ErrorCode::unsupported, "making an SSH key: this OpenSSL has no Ed25519");
  }
  const std::string_view public_bytes(reinterpret_cast<const char*>(public_key.data()), public_key.size());
  const std::string_view seed_bytes(reinterpret_cast<const char*>(seed.data()), seed.size());
  std::string blob;
  put_string(blob, kType);
  put_string(blob, public_bytes);
  return SshKeyPair{private_file(public_bytes, seed_bytes, check, comment),
                    std::string(kType) + " " + base64_encode(blob)};
}

}  // namespace ordeal::nodes
