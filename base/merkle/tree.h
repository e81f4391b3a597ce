#pragma once
// Tree: a Merkle tree of RFC 6962 in memory that grows at its end: every full subtree's hash is kept (64 bytes a leaf),
// so that appending costs one hash a leaf on average and roots and proofs of any size O(log n). Thread-safety: a value;
// one thread at a time, or several that only read.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/merkle/hash.h"
#include "base/merkle/proofs.h"

namespace ordeal::merkle {

class Tree {
 public:
  Tree() = default;
  // The tree of these leaves.
  explicit Tree(std::span<const Hash> leaves);

  // Returns the leaf's index.
  std::uint64_t append(std::string_view data);
  std::uint64_t append_hash(const Hash& leaf);

  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] std::span<const Hash> leaf_hashes() const;
  [[nodiscard]] Hash root() const { return root(size()); }
  // The requirements below hold for all that are asked: size <= size(), index < size, first <= second.
  [[nodiscard]] Hash root(std::uint64_t size) const;
  [[nodiscard]] Proof inclusion(std::uint64_t index, std::uint64_t size) const;
  [[nodiscard]] Proof consistency(std::uint64_t first, std::uint64_t second) const;
  // Requires: the full subtree is there.
  [[nodiscard]] const Hash& node(unsigned level, std::uint64_t index) const;

 private:
  [[nodiscard]] NodeHashes nodes() const;
  std::vector<std::vector<Hash>> levels_;  // levels_[k][i] is node (k, i)
};

}  // namespace ordeal::merkle
