#include "targets/log/server/tree/keys.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/base64.h"
#include "base/text.h"
#include "targets/log/server/tree/characters.h"

namespace ordeal::log::tree {
namespace {

constexpr char kEd25519 = 1;  // the signature type of C2SP signed-note
constexpr std::string_view kSecretPrefix = "PRIVATE+KEY+";
using Bytes = std::array<std::uint8_t, 32>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string typed(const Bytes& key) {
  return std::string(1, kEd25519) + std::string(reinterpret_cast<const char*>(key.data()), key.size());
}

std::uint32_t key_id(const std::string& name, const Bytes& key) {
  const std::string input = name + '\n' + typed(key);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes_of(input), input.size(), digest);
  return std::uint32_t{digest[0]} << 24 | std::uint32_t{digest[1]} << 16 | std::uint32_t{digest[2]} << 8 | digest[3];
}

std::string hex8(std::uint32_t id) {
  std::string text(8, '0');
  for (std::size_t i = 8; i-- > 0; id >>= 4) text[i] = "0123456789abcdef"[id & 15];
  return text;
}

struct Parts {
  std::string name;
  std::string id;
  Bytes key;
};

// "name+id+base64(0x01 || 32 bytes)"; nothing when it is not of that form.
std::optional<Parts> parts_of(std::string_view text) {
  const std::size_t first = text.find('+');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('+', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  Parts parts{std::string(text.substr(0, first)), std::string(text.substr(first + 1, second - first - 1)), {}};
  const auto bytes = base64_decode(text.substr(second + 1));
  if (!valid_key_name(parts.name) || !bytes || bytes->size() != 33 || (*bytes)[0] != kEd25519) return std::nullopt;
  std::copy(bytes->begin() + 1, bytes->end(), parts.key.begin());
  return parts;
}

Bytes public_key(const Bytes& seed) {
  const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()), EVP_PKEY_free);
  Bytes bytes{};
  std::size_t size = bytes.size();
  ORDEAL_CHECK(
      key != nullptr && EVP_PKEY_get_raw_public_key(key.get(), bytes.data(), &size) == 1 && size == bytes.size(),
      "libcrypto has Ed25519");
  return bytes;
}

}  // namespace

bool valid_key_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && note_characters(name, false) && !has_unicode_space(name) &&
         name.find('+') == std::string_view::npos;
}

VerifierKey::VerifierKey(std::string name, const Bytes& key)
    : name_(std::move(name)), key_(key), id_(key_id(name_, key_)) {
  ORDEAL_CHECK(valid_key_name(name_), "a key's name was checked before");
}

Result<VerifierKey> VerifierKey::parse(std::string_view text) {
  const auto parts = text.starts_with(kSecretPrefix) ? std::nullopt : parts_of(text);
  if (!parts) {
    return fail(ErrorCode::input,
                "not a verifier key: expected name+id+base64, id in 8 hexadecimal digits, with an Ed25519 key");
  }
  VerifierKey key(parts->name, parts->key);
  if (hex8(key.id_) != parts->id) {
    return fail(ErrorCode::input, "the key " + visible_in_line(parts->name) + " says it has the id " +
                                      visible_in_line(parts->id) + ", but its id is " + hex8(key.id_) +
                                      ": part of it was changed; copy it again");
  }
  return key;
}

std::string VerifierKey::label() const { return name_ + '+' + hex8(id_); }

std::string VerifierKey::text() const { return label() + '+' + base64_encode(typed(key_)); }

bool VerifierKey::verify(std::string_view message, std::string_view signature) const {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key_.data(), key_.size()), EVP_PKEY_free);
  const Digest context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (key == nullptr || context == nullptr) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
}

SigningKey::SigningKey(std::string name, const Bytes& seed)
    : seed_(seed), verifier_(std::move(name), public_key(seed)) {}

Result<SigningKey> SigningKey::generate(std::string name) {
  Bytes seed;
  if (RAND_bytes(seed.data(), static_cast<int>(seed.size())) != 1) {
    return fail(ErrorCode::internal, "libcrypto's random generator gave nothing");
  }
  return SigningKey(std::move(name), seed);
}

Result<SigningKey> SigningKey::parse(std::string_view text) {
  std::optional<Parts> parts;
  if (text.starts_with(kSecretPrefix)) parts = parts_of(text.substr(kSecretPrefix.size()));
  if (!parts)
    return fail(ErrorCode::input, "not a signing key: expected PRIVATE+KEY+name+id+base64 with an Ed25519 seed");
  SigningKey key(parts->name, parts->key);
  if (hex8(key.verifier_.id()) != parts->id) {
    return fail(ErrorCode::input,
                "the signing key's id is not that of its seed: part of it was changed; copy it again");
  }
  return key;
}

std::string SigningKey::secret_text() const {
  return std::string(kSecretPrefix) + verifier_.label() + '+' + base64_encode(typed(seed_));
}

std::string SigningKey::sign(std::string_view message) const {
  const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed_.data(), seed_.size()), EVP_PKEY_free);
  const Digest context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string signature(64, '\0');
  std::size_t size = signature.size();
  ORDEAL_CHECK(key != nullptr && context != nullptr &&
                   EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                   EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                                  bytes_of(message), message.size()) == 1 &&
                   size == signature.size(),
               "libcrypto signs with Ed25519");
  return signature;
}

}  // namespace ordeal::log::tree
