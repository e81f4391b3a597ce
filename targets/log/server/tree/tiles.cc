#include "targets/log/server/tree/tiles.h"

#include <algorithm>

#include "targets/log/server/tree/characters.h"

namespace ordeal::log::tree {
namespace {

constexpr unsigned kLevelsATile = 8;
constexpr std::size_t kHashBytes = 32;

// Full subtrees of height 8·tile_level in a tree of `size` leaves.
std::uint64_t full_nodes(unsigned tile_level, std::uint64_t size) {
  const unsigned shift = kLevelsATile * tile_level;
  return shift < 64 ? size >> shift : 0;
}

// 1234067 is x001/x234/067.
std::string index_path(std::uint64_t index) {
  std::string path;
  for (bool last = true; last || index > 0; last = false, index /= 1000) {
    const std::string digits = std::to_string(1000 + index % 1000).substr(1);
    path = last ? digits : 'x' + digits + '/' + path;
  }
  return path;
}

tl::unexpected<Error> no_tile(std::string_view path) {
  return fail(ErrorCode::not_found, "no tile's path: " + std::string(path.substr(0, 100)) +
                                        "; expected tile/LEVEL/INDEX or tile/entries/INDEX, then maybe .p/WIDTH");
}

// "x001/x234/067" to 1234067; also other spellings of it, which the caller refuses.
std::optional<std::uint64_t> parse_index(std::string_view path) {
  std::uint64_t index = 0;
  for (;;) {
    const std::size_t slash = path.find('/');
    std::string_view digits = path.substr(0, slash);
    if (slash != std::string_view::npos && digits.starts_with('x')) digits.remove_prefix(1);
    if (digits.size() != 3 || index > (UINT64_MAX - 999) / 1000) return std::nullopt;
    for (const char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
    }
    index =
        index * 1000 + static_cast<std::uint64_t>((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + digits[2] - '0');
    if (slash == std::string_view::npos) return index;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string tile_path(const TileId& tile) {
  std::string path =
      "tile/" + (tile.entries ? std::string("entries") : std::to_string(tile.level)) + '/' + index_path(tile.index);
  if (tile.width != kTileWidth) path += ".p/" + std::to_string(tile.width);
  return path;
}

Result<TileId> parse_tile_path(std::string_view path) {
  static constexpr std::string_view kPrefix = "tile/";
  if (!path.starts_with(kPrefix)) return no_tile(path);
  std::string_view rest = path.substr(kPrefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return no_tile(path);
  TileId tile;
  const std::string_view level = rest.substr(0, slash);
  rest.remove_prefix(slash + 1);
  tile.entries = level == "entries";
  if (!tile.entries) {
    const auto number = parse_decimal(level);
    if (!number || *number > 63) return no_tile(path);
    tile.level = static_cast<unsigned>(*number);
  }
  if (const std::size_t partial = rest.find(".p/"); partial != std::string_view::npos) {
    const auto width = parse_decimal(rest.substr(partial + 3));
    if (!width || *width == 0 || *width >= kTileWidth) return no_tile(path);
    tile.width = static_cast<unsigned>(*width);
    rest = rest.substr(0, partial);
  }
  const auto index = parse_index(rest);
  if (!index || *index >= std::uint64_t{1} << 56) return no_tile(path);  // no tree has so many leaves
  tile.index = *index;
  if (tile_path(tile) != path) return no_tile(path);
  return tile;
}

bool tile_exists(const TileId& tile, std::uint64_t size) {
  const std::uint64_t full = full_nodes(tile.level, size);
  const std::uint64_t tiles_before = full / kTileWidth;
  if (tile.index != tiles_before) return tile.index < tiles_before;
  return tile.width <= full % kTileWidth;
}

TileId tile_with(unsigned tile_level, std::uint64_t node_index, std::uint64_t size) {
  const std::uint64_t full = full_nodes(tile_level, size);
  ORDEAL_CHECK(node_index < full, "the node is full");
  TileId tile{false, tile_level, node_index / kTileWidth, kTileWidth};
  tile.width = static_cast<unsigned>(std::min<std::uint64_t>(kTileWidth, full - tile.index * kTileWidth));
  return tile;
}

std::string tile_bytes(const Tree& tree, const TileId& tile) {
  ORDEAL_CHECK(!tile.entries && tile_exists(tile, tree.size()), "a tile that the tree has");
  std::string bytes;
  for (unsigned i = 0; i < tile.width; ++i) {
    const Hash& hash = tree.node(kLevelsATile * tile.level, tile.index * kTileWidth + i);
    bytes.append(reinterpret_cast<const char*>(hash.data()), hash.size());
  }
  return bytes;
}

Result<std::vector<Hash>> parse_tile(std::string_view bytes, unsigned width) {
  if (bytes.size() != width * kHashBytes) {
    return fail(ErrorCode::input, "a tile of " + std::to_string(bytes.size()) + " bytes; expected " +
                                      std::to_string(width) + " hashes of 32 bytes");
  }
  std::vector<Hash> hashes(width);
  for (std::size_t i = 0; i < width; ++i) {
    const std::string_view one = bytes.substr(i * kHashBytes, kHashBytes);
    std::copy(one.begin(), one.end(), hashes[i].begin());
  }
  return hashes;
}

void add_to_bundle(std::string& bundle, std::string_view entry) {
  ORDEAL_CHECK(entry.size() <= kMaxBundledEntry, "entries that are too large for a bundle are refused before");
  bundle += static_cast<char>(entry.size() >> 8);
  bundle += static_cast<char>(entry.size() & 0xff);
  bundle += entry;
}

Result<std::vector<std::string>> parse_bundle(std::string_view bytes, unsigned width) {
  std::vector<std::string> entries;
  std::size_t at = 0;
  while (entries.size() < width) {
    const std::size_t left = bytes.size() - at;
    std::size_t length = 0;
    if (left >= 2)
      length = std::size_t{static_cast<unsigned char>(bytes[at])} << 8 | static_cast<unsigned char>(bytes[at + 1]);
    if (left < 2 || length > left - 2) {
      return fail(ErrorCode::input, "offset " + std::to_string(at) + " of a bundle: entry " +
                                        std::to_string(entries.size()) + " of " + std::to_string(width) +
                                        " is not there whole");
    }
    entries.emplace_back(bytes.substr(at + 2, length));
    at += 2 + length;
  }
  if (at != bytes.size()) {
    return fail(ErrorCode::input, "offset " + std::to_string(at) +
                                      " of a bundle: " + std::to_string(bytes.size() - at) +
                                      " bytes after the last of " + std::to_string(width) + " entries");
  }
  return entries;
}

TileTree::TileTree(std::uint64_t size, Fetch fetch) : size_(size), fetch_(std::move(fetch)) {}

Result<const std::vector<Hash>*> TileTree::tile(const TileId& id) const {
  if (const auto kept = tiles_.find(id); kept != tiles_.end()) return &kept->second;
  auto bytes = fetch_(tile_path(id));
  if (!bytes && bytes.error().code == ErrorCode::not_found && id.width != kTileWidth) {
    // A log may drop a partial tile once the whole one is there.
    TileId whole = id;
    whole.width = kTileWidth;
    bytes = fetch_(tile_path(whole));
    if (bytes && bytes->size() == kTileWidth * kHashBytes) bytes->resize(id.width * kHashBytes);
  }
  if (!bytes) return fail(bytes.error());
  auto hashes = parse_tile(*bytes, id.width);
  if (!hashes) return fail(hashes.error().during(tile_path(id)));
  return &tiles_.emplace(id, std::move(*hashes)).first->second;
}

Result<Hash> TileTree::node(unsigned level, std::uint64_t index) const {
  const unsigned tile_level = level / kLevelsATile;
  const unsigned below = level % kLevelsATile;  // levels between the node and the tile's hashes
  const std::uint64_t first = index << below;
  const TileId id = tile_with(tile_level, first + (std::uint64_t{1} << below) - 1, size_);
  const auto hashes = tile(id);
  if (!hashes) return fail(hashes.error());
  const auto begin = (*hashes)->begin() + static_cast<std::ptrdiff_t>(first % kTileWidth);
  std::vector<Hash> row(begin, begin + (std::ptrdiff_t{1} << below));
  for (; row.size() > 1; row.resize(row.size() / 2)) {
    for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = node_hash(row[2 * i], row[2 * i + 1]);
  }
  return row[0];
}

Result<Hash> TileTree::root(std::uint64_t size) const {
  ORDEAL_CHECK(size <= size_, "a root is asked for of what is there");
  return root_of(size, [this](unsigned level, std::uint64_t index) { return node(level, index); });
}

Result<Hash> TileTree::leaf(std::uint64_t index) const {
  ORDEAL_CHECK(index < size_, "the leaf is in the tree");
  return node(0, index);
}

Result<Proof> TileTree::inclusion(std::uint64_t index, std::uint64_t size) const {
  ORDEAL_CHECK(size <= size_, "the tree has that size");
  return inclusion_proof(index, size, [this](unsigned level, std::uint64_t i) { return node(level, i); });
}

Result<Proof> TileTree::consistency(std::uint64_t first, std::uint64_t second) const {
  ORDEAL_CHECK(second <= size_, "the tree has that size");
  return consistency_proof(first, second, [this](unsigned level, std::uint64_t i) { return node(level, i); });
}

}  // namespace ordeal::log::tree
