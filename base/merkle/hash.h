#pragma once
// SHA-256 as RFC 6962, section 2.1, uses it: a leaf's hash begins with 0x00, a node's with 0x01, so that no leaf can
// pass for a node. Thread-safety: pure.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal::merkle {

using Hash = std::array<std::uint8_t, 32>;
// An inclusion or a consistency proof, in the order of RFC 6962, section 2.1.
using Proof = std::vector<Hash>;

[[nodiscard]] Hash leaf_hash(std::string_view data);
[[nodiscard]] Hash node_hash(const Hash& left, const Hash& right);
[[nodiscard]] Hash empty_root();  // of the tree without leaves: SHA-256 of nothing

[[nodiscard]] std::string hex(const Hash& hash);
[[nodiscard]] std::string base64(const Hash& hash);
// Errors: input, when it is not the base64 of 32 bytes.
[[nodiscard]] Result<Hash> hash_from_base64(std::string_view text);

}  // namespace ordeal::merkle
