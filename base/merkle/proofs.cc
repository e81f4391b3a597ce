#include "base/merkle/proofs.h"

#include <algorithm>
#include <bit>
#include <string>

namespace ordeal::merkle {
namespace {

// MTH(D[begin:end]). Requires: begin < end, and begin is a multiple of the power of two that is at least end - begin,
// as it is for every range that RFC 6962's recursion meets.
Result<Hash> range_root(std::uint64_t begin, std::uint64_t end, const NodeHashes& nodes) {
  std::vector<Hash> peaks;  // full subtrees, from the left, each smaller than the one before
  while (begin < end) {
    const auto level = static_cast<unsigned>(std::bit_width(end - begin) - 1);
    auto hash = nodes(level, begin >> level);
    if (!hash) return hash;
    peaks.push_back(*hash);
    begin += std::uint64_t{1} << level;
  }
  Hash root = peaks.back();
  for (std::size_t i = peaks.size() - 1; i-- > 0;) root = node_hash(peaks[i], root);
  return root;
}

// The largest power of two below n. Requires: n > 1.
std::uint64_t split_at(std::uint64_t n) { return std::bit_floor(n - 1); }

// Adds MTH(D[begin:end]) to the proof.
Result<void> add(Proof& proof, std::uint64_t begin, std::uint64_t end, const NodeHashes& nodes) {
  const auto hash = range_root(begin, end, nodes);
  if (!hash) return fail(hash.error());
  proof.push_back(*hash);
  return {};
}

}  // namespace

Result<Hash> root_of(std::uint64_t size, const NodeHashes& nodes) {
  if (size == 0) return empty_root();
  return range_root(0, size, nodes);
}

Result<Proof> inclusion_proof(std::uint64_t index, std::uint64_t size, const NodeHashes& nodes) {
  if (index >= size) {
    return fail(ErrorCode::usage, "there is no leaf " + std::to_string(index) + " in a tree of " +
                                      std::to_string(size) + "; the last one is size - 1");
  }
  Proof proof;  // from the root down, reversed at the end
  for (std::uint64_t begin = 0, end = size; end - begin > 1;) {
    const std::uint64_t middle = begin + split_at(end - begin);
    const bool left = index < middle;
    const auto added = left ? add(proof, middle, end, nodes) : add(proof, begin, middle, nodes);
    if (!added) return fail(added.error());
    (left ? end : begin) = middle;
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

Result<Proof> consistency_proof(std::uint64_t first, std::uint64_t second, const NodeHashes& nodes) {
  if (first > second) {
    return fail(ErrorCode::usage, "a tree of " + std::to_string(first) + " leaves is no beginning of one of " +
                                      std::to_string(second) + "; ask for the smaller one first");
  }
  Proof proof;  // from the root down, reversed at the end
  if (first == 0 || first == second) return proof;
  std::uint64_t begin = 0;
  std::uint64_t end = second;
  bool whole = true;  // D[0:first] itself is what is left, whose root the verifier has
  while (first != end) {
    const std::uint64_t middle = begin + split_at(end - begin);
    const bool left = first <= middle;
    const auto added = left ? add(proof, middle, end, nodes) : add(proof, begin, middle, nodes);
    if (!added) return fail(added.error());
    (left ? end : begin) = middle;
    whole = whole && left;
  }
  if (!whole) {
    if (const auto added = add(proof, begin, end, nodes); !added) return fail(added.error());
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, const Proof& proof, const Hash& root) {
  if (index >= size) return false;
  std::uint64_t fn = index;
  std::uint64_t sn = size - 1;
  Hash hash = leaf;
  for (const Hash& sibling : proof) {
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      hash = node_hash(sibling, hash);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      hash = node_hash(hash, sibling);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && hash == root;
}

bool verify_consistency(std::uint64_t first, const Hash& first_root, std::uint64_t second, const Hash& second_root,
                        const Proof& proof) {
  if (first > second) return false;
  if (first == second) return proof.empty() && first_root == second_root && (first != 0 || first_root == empty_root());
  if (first == 0) return proof.empty() && first_root == empty_root();
  if (proof.empty()) return false;
  std::uint64_t fn = first - 1;
  std::uint64_t sn = second - 1;
  while ((fn & 1) != 0) {
    fn >>= 1;
    sn >>= 1;
  }
  // The subtree that both share: of a power of two it is the first tree itself, and the proof does not repeat it.
  std::size_t next = 0;
  const Hash& shared = std::has_single_bit(first) ? first_root : proof[next++];
  Hash first_hash = shared;
  Hash second_hash = shared;
  for (; next < proof.size(); ++next) {
    if (sn == 0) return false;
    const Hash& sibling = proof[next];
    if ((fn & 1) != 0 || fn == sn) {
      first_hash = node_hash(sibling, first_hash);
      second_hash = node_hash(sibling, second_hash);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      second_hash = node_hash(second_hash, sibling);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && first_hash == first_root && second_hash == second_root;
}

}  // namespace ordeal::merkle
