#pragma once
// The read side of a log as static files (c2sp.org/tlog-tiles): tiles of 256 hashes and bundles of entries, their
// paths, making them from a Tree, reading them, and TileTree, which computes roots and proofs from somebody's tiles.
//
// Thread-safety: functions are pure; a TileTree belongs to one thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "targets/log/server/tree/merkle.h"

namespace ordeal::log::tree {

inline constexpr unsigned kTileWidth = 256;
inline constexpr std::size_t kMaxBundledEntry = 65535;  // bytes: a bundle has 16 bits for an entry's length

// A tile of hashes, or (entries) a bundle of the entries beneath a tile of level 0.
struct TileId {
  bool entries = false;
  unsigned level = 0;  // 0 to 63; of a bundle 0
  std::uint64_t index = 0;
  unsigned width = kTileWidth;  // 1 to 255: a partial one

  friend auto operator<=>(const TileId&, const TileId&) = default;
};

// "tile/0/x001/x234/067", "tile/1/000.p/17", "tile/entries/000"; without a '/' before it.
[[nodiscard]] std::string tile_path(const TileId& tile);
// Nothing but the one spelling of each. Errors: not_found.
[[nodiscard]] Result<TileId> parse_tile_path(std::string_view path);
// Whether a log of `size` leaves has this tile, whole or as a partial one of that width or more.
[[nodiscard]] bool tile_exists(const TileId& tile, std::uint64_t size);
// The tile of a tree of `size` leaves that has node (8·level, index) in it: the partial one if it is not full.
// Requires: that node is full in such a tree.
[[nodiscard]] TileId tile_with(unsigned tile_level, std::uint64_t node_index, std::uint64_t size);

// The bytes that are served. Requires: not entries; tile_exists(tile, tree.size()).
[[nodiscard]] std::string tile_bytes(const Tree& tree, const TileId& tile);
// Errors: input, when it is not `width` hashes.
[[nodiscard]] Result<std::vector<Hash>> parse_tile(std::string_view bytes, unsigned width);

// Adds an entry to a bundle. Requires: it is at most kMaxBundledEntry long.
void add_to_bundle(std::string& bundle, std::string_view entry);
// Errors: input, with the offset, when it does not hold exactly `width` entries.
[[nodiscard]] Result<std::vector<std::string>> parse_bundle(std::string_view bytes, unsigned width);

// Fetches what lies at a path below the log's prefix: "checkpoint", "tile/…". Errors are passed on.
using Fetch = std::function<Result<std::string>(const std::string& path)>;

// Somebody's tree of `size` leaves, seen through tiles, which are kept. Nothing of it is believed: whoever asks
// compares root() with a signed head, and takes proofs to be verified.
class TileTree {
 public:
  TileTree(std::uint64_t size, Fetch fetch);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] Result<Hash> root(std::uint64_t size) const;
  [[nodiscard]] Result<Hash> leaf(std::uint64_t index) const;
  [[nodiscard]] Result<Proof> inclusion(std::uint64_t index, std::uint64_t size) const;
  [[nodiscard]] Result<Proof> consistency(std::uint64_t first, std::uint64_t second) const;

 private:
  [[nodiscard]] Result<Hash> node(unsigned level, std::uint64_t index) const;
  [[nodiscard]] Result<const std::vector<Hash>*> tile(const TileId& id) const;
  std::uint64_t size_;
  Fetch fetch_;
  mutable std::map<TileId, std::vector<Hash>> tiles_;
};

}  // namespace ordeal::log::tree
