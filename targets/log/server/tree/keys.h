#pragma once
// Ed25519 keys of signed notes (C2SP signed-note, signature type 0x01), in the text form that Go's sumdb/note package
// gave them and other verifiers read: "name+c74f20a3+base64(0x01 || public key)", and with PRIVATE+KEY+ before it the
// secret one, whose base64 is 0x01 and the seed. Thread-safety: values; libcrypto's one-shot calls.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace ordeal::log::tree {

// Whether a key may be called so: not empty, UTF-8, no spaces of Unicode, no control characters, no '+', up to 255
// bytes.
[[nodiscard]] bool valid_key_name(std::string_view name);

class VerifierKey {
 public:
  // Requires: valid_key_name(name).
  VerifierKey(std::string name, const std::array<std::uint8_t, 32>& key);
  // Errors: input: not of that form, an algorithm that is not Ed25519, or an id that is not the key's.
  [[nodiscard]] static Result<VerifierKey> parse(std::string_view text);

  [[nodiscard]] const std::string& name() const { return name_; }
  // The first four bytes of SHA-256(name, newline, 0x01, key), big-endian.
  [[nodiscard]] std::uint32_t id() const { return id_; }
  // "name+c74f20a3": how messages call it.
  [[nodiscard]] std::string label() const;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool verify(std::string_view message, std::string_view signature) const;

  friend bool operator==(const VerifierKey&, const VerifierKey&) = default;

 private:
  std::string name_;
  std::array<std::uint8_t, 32> key_;
  std::uint32_t id_;
};

class SigningKey {
 public:
  // The key of this seed; the seed is the secret. Requires: valid_key_name(name).
  SigningKey(std::string name, const std::array<std::uint8_t, 32>& seed);
  // With a seed from libcrypto's generator. Errors: internal.
  [[nodiscard]] static Result<SigningKey> generate(std::string name);
  // Errors: input, which never quote the secret.
  [[nodiscard]] static Result<SigningKey> parse(std::string_view text);

  [[nodiscard]] const VerifierKey& verifier() const { return verifier_; }
  [[nodiscard]] std::string secret_text() const;
  // 64 bytes.
  [[nodiscard]] std::string sign(std::string_view message) const;

 private:
  std::array<std::uint8_t, 32> seed_;
  VerifierKey verifier_;
};

}  // namespace ordeal::log::tree
