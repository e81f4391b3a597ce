// The Merkle tree against the test vectors that the certificate-transparency project published with its reference
// implementation (leaves, roots, audit paths, consistency proofs; golden roots of larger trees), and against the
// recursive definition of RFC 6962, section 2.1, for every small tree.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/base64.h"
#include "base/rng.h"
#include "targets/log/server/tree/merkle.h"
#include "targets/log/server/tree/tiles.h"

namespace ordeal::log::tree {
namespace {

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

Hash hash(const std::string& text) {
  const std::string bytes = from_hex(text);
  Hash out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Proof proof(const std::vector<std::string>& texts) {
  Proof out;
  for (const auto& text : texts) out.push_back(hash(text));
  return out;
}

const std::vector<std::string> kLeaves = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
const std::vector<std::string> kRoots = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                         "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                         "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                         "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                         "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                         "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

Tree published_tree() {
  Tree tree;
  for (const auto& leaf : kLeaves) tree.append(from_hex(leaf));
  return tree;
}

TEST(MerkleVectors, Hashes) {
  EXPECT_EQ(hex(empty_root()), kRoots[0]);
  EXPECT_EQ(hex(leaf_hash("")), kRoots[1]);
  EXPECT_EQ(hex(leaf_hash("L123456")), "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
}

TEST(MerkleVectors, Roots) {
  const Tree tree = published_tree();
  for (std::size_t size = 0; size < kRoots.size(); ++size) EXPECT_EQ(hex(tree.root(size)), kRoots[size]) << size;
}

TEST(MerkleVectors, InclusionProofs) {
  struct Vector {
    std::uint64_t index, size;
    std::vector<std::string> path;
  };
  const std::vector<Vector> vectors = {{0, 1, {}},
                                       {0,
                                        8,
                                        {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                                         "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                         "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
                                       {5,
                                        8,
                                        {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                                         "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
                                       {2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
                                       {1,
                                        5,
                                        {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                         "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                         "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}};
  const Tree tree = published_tree();
  for (const Vector& one : vectors) {
    EXPECT_EQ(tree.inclusion(one.index, one.size), proof(one.path));
    EXPECT_TRUE(verify_inclusion(leaf_hash(from_hex(kLeaves[one.index])), one.index, one.size, proof(one.path),
                                 hash(kRoots[one.size])));
  }
}

TEST(MerkleVectors, ConsistencyProofs) {
  struct Vector {
    std::uint64_t first, second;
    std::vector<std::string> path;
  };
  const std::vector<Vector> vectors = {{1, 1, {}},
                                       {1,
                                        8,
                                        {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                                         "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                         "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
                                       {6,
                                        8,
                                        {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                                         "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
                                       {2,
                                        5,
                                        {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                         "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}};
  const Tree tree = published_tree();
  for (const Vector& one : vectors) {
    EXPECT_EQ(tree.consistency(one.first, one.second), proof(one.path));
    EXPECT_TRUE(
        verify_consistency(one.first, hash(kRoots[one.first]), one.second, hash(kRoots[one.second]), proof(one.path)));
  }
}

// Leaf i is the two bytes of i, the lower one first.
TEST(MerkleVectors, GoldenRootsOfLargerTrees) {
  const std::vector<std::pair<std::uint64_t, std::string>> golden = {
      {10, "VjWMPSYNtCuCNlF/RLnQy6HcwSk6CIipfxm+hettA+4="},   {15, "j4SulYmocFuxdeyp12xXCIgK6PekBcxzAIj4zbQzNEI="},
      {16, "c+4Uc6BCMOZf/v3NZK1kqTUJe+bBoFtOhP+P3SayKRE="},   {100, "dUh9hYH88p0CMoHkdr1wC2szbhcLAXOejWpINIooKUY="},
      {255, "SmdsuKUqiod3RX2jyF2M6JnbdE4QuTwwipfAowI4/i0="},  {256, "qFI0t/tZ1MdOYgyPpPzHFiZVw86koScXy9q3FU5casA="},
      {1000, "RXrgb8xHd55Y48FbfotJwCbV82Kx22LZfEbmBGAvwlQ="}, {4095, "cWRFdQhPcjn9WyBXE/r1f04ejxIm5lvg40DEpRBVS0w="},
      {4096, "6uU/phfHg1n/GksYT6TO9aN8EauMCCJRl3dIK0HDs2M="}, {10000, "VZcav65F9haHVRk3wre2axFoBXRNeUh/1d9d5FQfxIg="},
      {65535, "iPuVYJhP6SEE4gUFp8qbafd2rYv9YTCDYqAxCj8HdLM="}};
  Tree tree;
  for (int i = 0; i < 65535; ++i) tree.append(std::string{static_cast<char>(i & 0xff), static_cast<char>(i >> 8)});
  for (const auto& [size, root] : golden) EXPECT_EQ(base64(tree.root(size)), root) << size;
}

// RFC 6962, section 2.1, as it stands there.
Hash defined_root(const std::vector<Hash>& leaves, std::size_t begin, std::size_t end) {
  if (begin == end) return empty_root();
  if (end - begin == 1) return leaves[begin];
  std::size_t k = 1;
  while (2 * k < end - begin) k *= 2;
  return node_hash(defined_root(leaves, begin, begin + k), defined_root(leaves, begin + k, end));
}

std::vector<Hash> some_leaves(std::size_t n) {
  std::vector<Hash> leaves;
  for (std::size_t i = 0; i < n; ++i) leaves.push_back(leaf_hash("leaf " + std::to_string(i)));
  return leaves;
}

// What a verifier must refuse: any hash of the proof changed, one missing, one more, another size, another place.
void expect_no_other_proof_passes(const Tree& tree, std::uint64_t index, std::uint64_t size, Rng& rng) {
  const Hash leaf = tree.leaf_hashes()[index];
  const Hash root = tree.root(size);
  const Proof right = tree.inclusion(index, size);
  for (std::size_t i = 0; i < right.size(); ++i) {
    Proof wrong = right;
    wrong[i][rng.below(32)] ^= static_cast<std::uint8_t>(1U << rng.below(8));
    EXPECT_FALSE(verify_inclusion(leaf, index, size, wrong, root));
  }
  Proof longer = right;
  longer.push_back(root);
  EXPECT_FALSE(verify_inclusion(leaf, index, size, longer, root));
  if (!right.empty()) {
    EXPECT_FALSE(verify_inclusion(leaf, index, size, Proof(right.begin(), right.end() - 1), root));
    EXPECT_FALSE(verify_inclusion(leaf, index ^ 1, size, right, root));
  }
  EXPECT_FALSE(verify_inclusion(leaf, size, size, right, root));
  EXPECT_FALSE(verify_inclusion(node_hash(leaf, leaf), index, size, right, root));
}

TEST(MerkleExhaustive, EverySizeAndLeafUpTo70) {
  const auto leaves = some_leaves(70);
  const Tree tree(leaves);
  Rng rng(1);
  for (std::uint64_t size = 0; size <= leaves.size(); ++size) {
    ASSERT_EQ(tree.root(size), defined_root(leaves, 0, size)) << size;
    for (std::uint64_t index = 0; index < size; ++index) {
      ASSERT_TRUE(verify_inclusion(leaves[index], index, size, tree.inclusion(index, size), tree.root(size)));
      expect_no_other_proof_passes(tree, index, size, rng);
    }
    for (std::uint64_t first = 0; first <= size; ++first) {
      const Proof right = tree.consistency(first, size);
      ASSERT_TRUE(verify_consistency(first, tree.root(first), size, tree.root(size), right)) << first << " " << size;
      Hash other = tree.root(first);
      other[0] ^= 1;
      ASSERT_FALSE(verify_consistency(first, other, size, tree.root(size), right));
      for (std::size_t i = 0; i < right.size(); ++i) {
        Proof wrong = right;
        wrong[i][7] ^= 4;
        ASSERT_FALSE(verify_consistency(first, tree.root(first), size, tree.root(size), wrong));
      }
      Proof longer = right;
      longer.push_back(other);
      ASSERT_FALSE(verify_consistency(first, tree.root(first), size, tree.root(size), longer));
    }
  }
}

// A history that was rewritten at any leaf below the first size is no beginning of the honest one, whatever proof.
TEST(MerkleExhaustive, RewrittenHistoriesAreNoBeginnings) {
  const auto leaves = some_leaves(33);
  const Tree tree(leaves);
  for (std::uint64_t first = 1; first <= 20; ++first) {
    for (std::uint64_t changed = 0; changed < first; ++changed) {
      auto rewritten = leaves;
      rewritten[changed] = leaf_hash("rewritten");
      const Tree other(rewritten);
      EXPECT_FALSE(verify_consistency(first, tree.root(first), 33, other.root(33), other.consistency(first, 33)));
      EXPECT_FALSE(verify_consistency(first, tree.root(first), 33, other.root(33), tree.consistency(first, 33)));
    }
  }
}

TEST(Merkle, ProofsOfWhatIsNotThereAreRefused) {
  const NodeHashes none = [](unsigned, std::uint64_t) -> Result<Hash> { return fail(ErrorCode::io, "not asked"); };
  EXPECT_EQ(inclusion_proof(3, 3, none).error().code, ErrorCode::usage);
  EXPECT_EQ(consistency_proof(4, 3, none).error().code, ErrorCode::usage);
  EXPECT_EQ(inclusion_proof(0, 2, none).error().code, ErrorCode::io);
}

TEST(Tiles, PathsAsSpecified) {
  EXPECT_EQ(tile_path({false, 0, 1234067, 256}), "tile/0/x001/x234/067");
  EXPECT_EQ(tile_path({false, 1, 0, 17}), "tile/1/000.p/17");
  EXPECT_EQ(tile_path({true, 0, 1000, 256}), "tile/entries/x001/000");
  Rng rng(2);
  for (int i = 0; i < 2000; ++i) {
    const TileId tile{false, static_cast<unsigned>(rng.below(64)), rng.next() >> (8 + rng.below(56)),
                      static_cast<unsigned>(1 + rng.below(256))};
    const auto parsed = parse_tile_path(tile_path(tile));
    ASSERT_TRUE(parsed) << tile_path(tile);
    EXPECT_EQ(*parsed, tile);
  }
  for (const char* wrong : {"tile/0/1", "tile/00/000", "tile/64/000", "tile/0/000.p/0", "tile/0/000.p/256",
                            "tile/0/000.p/017", "tile/-1/000", "tile/0/x000/001", "tile/0/000/", "tile/0",
                            "/tile/0/000", "tile/0/x001/x234", "tile/entries/000.p/", "tile/0/0000",
                            "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/../000", "checkpoint", ""}) {
    EXPECT_FALSE(parse_tile_path(wrong)) << wrong;
  }
}

TEST(Tiles, PartialOnesAsSpecified) {
  // The specification's example: 70,000 leaves.
  EXPECT_TRUE(tile_exists({false, 0, 272, 256}, 70000));
  EXPECT_TRUE(tile_exists({false, 0, 273, 112}, 70000));
  EXPECT_FALSE(tile_exists({false, 0, 273, 113}, 70000));
  EXPECT_TRUE(tile_exists({false, 1, 0, 256}, 70000));
  EXPECT_TRUE(tile_exists({false, 1, 1, 17}, 70000));
  EXPECT_FALSE(tile_exists({false, 1, 1, 18}, 70000));
  EXPECT_TRUE(tile_exists({false, 2, 0, 1}, 70000));
  EXPECT_FALSE(tile_exists({false, 3, 0, 1}, 70000));
  EXPECT_FALSE(tile_exists({false, 63, 0, 1}, 70000));
  EXPECT_TRUE(tile_exists({false, 1, 0, 1}, 256));
}

TEST(Tiles, RootsAndProofsFromTilesAreThoseOfTheTree) {
  for (const std::uint64_t size : {1, 2, 255, 256, 257, 300, 1000, 66000}) {
    const Tree tree(some_leaves(size));
    const TileTree tiles(size, [&](const std::string& path) -> Result<std::string> {
      const auto tile = parse_tile_path(path);
      if (!tile || !tile_exists(*tile, size)) return fail(ErrorCode::not_found, path);
      return tile_bytes(tree, *tile);
    });
    Rng rng(size);
    EXPECT_EQ(*tiles.root(size), tree.root());
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t first = rng.below(size + 1);
      EXPECT_EQ(*tiles.consistency(first, size), tree.consistency(first, size));
      const std::uint64_t index = rng.below(size);
      EXPECT_EQ(*tiles.inclusion(index, size), tree.inclusion(index, size));
      EXPECT_EQ(*tiles.leaf(index), tree.leaf_hashes()[index]);
    }
  }
}

TEST(Tiles, WholeTileStandsInForAPartialOneThatIsGone) {
  const Tree tree(some_leaves(600));
  int whole = 0;
  const TileTree tiles(300, [&](const std::string& path) -> Result<std::string> {
    const auto tile = parse_tile_path(path);
    if (tile->width != kTileWidth && tile->level == 0) return fail(ErrorCode::not_found, path);
    whole += tile->level == 0 ? 1 : 0;
    return tile_bytes(tree, *tile);
  });
  EXPECT_EQ(*tiles.root(300), tree.root(300));
  EXPECT_EQ(*tiles.leaf(299), tree.leaf_hashes()[299]);
  EXPECT_GT(whole, 0);
}

TEST(Tiles, HostileTilesAreRefused) {
  for (const std::string& bytes : {std::string(), std::string(31, 'x'), std::string(8192, 'x'), std::string(64, 'x')}) {
    const TileTree tiles(1, [&](const std::string&) -> Result<std::string> { return bytes; });
    EXPECT_EQ(tiles.root(1).error().code, ErrorCode::input);
  }
  const TileTree huge(UINT64_MAX, [](const std::string& path) -> Result<std::string> {
    return std::string(
        path.find(".p/") == std::string::npos ? 8192 : 32 * std::stoul(path.substr(path.find(".p/") + 3)), 'x');
  });
  EXPECT_TRUE(huge.root(UINT64_MAX));  // 64 subtrees, not 2^64 leaves
}

TEST(Bundles, RoundTripAndDamage) {
  std::string bundle;
  const std::vector<std::string> entries = {"", "a", std::string(65535, 'x'), "end"};
  for (const auto& entry : entries) add_to_bundle(bundle, entry);
  EXPECT_EQ(*parse_bundle(bundle, 4), entries);
  for (const unsigned width : {3U, 5U}) EXPECT_EQ(parse_bundle(bundle, width).error().code, ErrorCode::input);
  EXPECT_FALSE(parse_bundle(bundle.substr(0, bundle.size() - 1), 4));
  EXPECT_FALSE(parse_bundle(bundle + '\0', 4));
}

}  // namespace
}  // namespace ordeal::log::tree
