#include "base/merkle/hash.h"

#include <openssl/sha.h>

#include <algorithm>

#include "base/base64.h"

namespace ordeal::merkle {

Hash leaf_hash(std::string_view data) {
  std::string input(1, '\0');
  input += data;
  Hash hash;
  SHA256(reinterpret_cast<const unsigned char*>(input.data()), input.size(), hash.data());
  return hash;
}

Hash node_hash(const Hash& left, const Hash& right) {
  std::array<std::uint8_t, 65> input;
  input[0] = 1;
  std::copy(left.begin(), left.end(), input.begin() + 1);
  std::copy(right.begin(), right.end(), input.begin() + 33);
  Hash hash;
  SHA256(input.data(), input.size(), hash.data());
  return hash;
}

Hash empty_root() {
  Hash hash;
  SHA256(nullptr, 0, hash.data());
  return hash;
}

std::string hex(const Hash& hash) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : hash) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string base64(const Hash& hash) {
  return base64_encode(std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
}

Result<Hash> hash_from_base64(std::string_view text) {
  Hash hash;
  const auto bytes = base64_decode(text);
  if (!bytes || bytes->size() != hash.size())
    return fail(ErrorCode::input, "expected 32 bytes in base64 (44 characters)");
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

}  // namespace ordeal::merkle
