#include "base/merkle/tree.h"

namespace ordeal::merkle {

Tree::Tree(std::span<const Hash> leaves) {
  for (const Hash& leaf : leaves) append_hash(leaf);
}

std::uint64_t Tree::append(std::string_view data) { return append_hash(leaf_hash(data)); }

std::uint64_t Tree::append_hash(const Hash& leaf) {
  if (levels_.empty()) levels_.emplace_back();
  levels_[0].push_back(leaf);
  for (std::size_t level = 0; levels_[level].size() % 2 == 0; ++level) {
    if (levels_.size() == level + 1) levels_.emplace_back();
    const auto& below = levels_[level];
    levels_[level + 1].push_back(node_hash(below[below.size() - 2], below.back()));
  }
  return levels_[0].size() - 1;
}

std::uint64_t Tree::size() const { return levels_.empty() ? 0 : levels_[0].size(); }

std::span<const Hash> Tree::leaf_hashes() const {
  if (levels_.empty()) return {};
  return levels_[0];
}

const Hash& Tree::node(unsigned level, std::uint64_t index) const {
  ORDEAL_CHECK(level < levels_.size() && index < levels_[level].size(), "the subtree is full");
  return levels_[level][index];
}

NodeHashes Tree::nodes() const {
  return [this](unsigned level, std::uint64_t index) -> Result<Hash> { return node(level, index); };
}

Hash Tree::root(std::uint64_t size) const {
  ORDEAL_CHECK(size <= this->size(), "a root is asked for of what is there");
  return *root_of(size, nodes());
}

Proof Tree::inclusion(std::uint64_t index, std::uint64_t size) const {
  ORDEAL_CHECK(index < size && size <= this->size(), "the leaf is in the tree");
  return *inclusion_proof(index, size, nodes());
}

Proof Tree::consistency(std::uint64_t first, std::uint64_t second) const {
  ORDEAL_CHECK(first <= second && second <= size(), "the sizes are in order and there");
  return *consistency_proof(first, second, nodes());
}

}  // namespace ordeal::merkle
