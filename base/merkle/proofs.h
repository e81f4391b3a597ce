#pragma once
// Merkle proofs of RFC 6962, section 2.1: made from any source of node hashes (a tree in memory, tiles of somebody
// else), and verified by the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2.
//
// A node is named by level and index: node (k, i) covers the leaves [i·2^k, (i+1)·2^k), all of which exist.
// Thread-safety: pure.

#include <cstdint>
#include <functional>

#include "base/error.h"
#include "base/merkle/hash.h"

namespace ordeal::merkle {

// The hash of a full subtree. Errors are passed on.
using NodeHashes = std::function<Result<Hash>(unsigned level, std::uint64_t index)>;

// Of the first `size` leaves.
[[nodiscard]] Result<Hash> root_of(std::uint64_t size, const NodeHashes& nodes);
// Of leaf `index` in the tree of `size` leaves. Errors: usage, when index >= size; those of `nodes`.
[[nodiscard]] Result<Proof> inclusion_proof(std::uint64_t index, std::uint64_t size, const NodeHashes& nodes);
// That the tree of `first` leaves is a beginning of that of `second`; empty for first == second and for first == 0.
// Errors: usage, when first > second; those of `nodes`.
[[nodiscard]] Result<Proof> consistency_proof(std::uint64_t first, std::uint64_t second, const NodeHashes& nodes);

// Whether the proof shows that the leaf with this hash is number `index` of the tree with that root.
[[nodiscard]] bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, const Proof& proof,
                                    const Hash& root);
// Whether the proof shows that the tree (first, first_root) is a beginning of (second, second_root). The empty tree is
// a beginning of every tree, by an empty proof, and only with empty_root().
[[nodiscard]] bool verify_consistency(std::uint64_t first, const Hash& first_root, std::uint64_t second,
                                      const Hash& second_root, const Proof& proof);

}  // namespace ordeal::merkle
