#include "targets/log/server/wal/leaf_file.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "targets/log/server/wal/bytes.h"
#include "targets/log/server/wal/crc32c.h"
#include "targets/log/server/wal/recovery.h"

namespace ordeal::log::wal {
namespace {

constexpr std::string_view kMagic("ORDLLVS\x01", 8);
constexpr std::size_t kHeaderBytes = 128;
constexpr std::size_t kHashBytes = 32;

std::string header_of(const std::string& cluster) {
  std::string out(kMagic);
  put_cluster(out, cluster);
  out.append(kHeaderBytes - 4 - out.size(), '\0');
  put_number(out, crc32c(out));
  return out;
}

Result<void> check_header(std::string_view bytes, const std::string& path, const std::string& cluster) {
  const std::string_view header = bytes.substr(0, kHeaderBytes);
  if (header == header_of(cluster)) return {};
  const std::string remove = "; remove the file, the node makes it anew from snapshot and log";
  if (header.size() < kHeaderBytes || !header.starts_with(kMagic) ||
      ByteReader(header.substr(kHeaderBytes - 4)).number<std::uint32_t>() !=
          crc32c(header.substr(0, kHeaderBytes - 4))) {
    return fail(ErrorCode::input, path + ", offset 0: the header is damaged" + remove);
  }
  ByteReader reader(header.substr(kMagic.size()));
  return fail(ErrorCode::input, path + ": it is of the cluster " + visible_in_line(take_cluster(reader)) +
                                    ", this node is of " + visible_in_line(cluster) + remove);
}

}  // namespace

LeafFile::LeafFile(std::unique_ptr<File> file, std::string path, std::uint64_t size)
    : file_(std::move(file)), path_(std::move(path)), size_(size) {}

Result<std::unique_ptr<LeafFile>> LeafFile::open(FileSystem& files, const std::string& path,
                                                 const std::string& cluster) {
  auto bytes = files.read(path);
  if (!bytes && bytes.error().number == ENOENT) {
    if (const auto made = replace_file(files, path, header_of(cluster)); !made) return fail(as_error(made.error()));
    bytes = files.read(path);
  }
  if (!bytes) return fail(as_error(bytes.error()));
  if (const auto ours = check_header(*bytes, path, cluster); !ours) return fail(ours.error());
  auto file = files.open(path, OpenMode::existing);
  if (!file) return fail(as_error(file.error()));
  const std::uint64_t size = (bytes->size() - kHeaderBytes) / kHashBytes;
  if (bytes->size() != offset(size)) {
    if (const auto cut = (*file)->truncate(offset(size)); !cut) return fail(as_error(cut.error()));
  }
  return std::unique_ptr<LeafFile>(new LeafFile(std::move(*file), path, size));
}

Result<void> LeafFile::write(std::uint64_t first, std::span<const LeafHash> hashes) {
  ORDEAL_CHECK(first <= size_, "leaves are written without a gap");
  std::string bytes;
  for (const LeafHash& hash : hashes) bytes.append(reinterpret_cast<const char*>(hash.data()), hash.size());
  if (const auto written = file_->write_at(offset(first), bytes); !written) return fail(as_error(written.error()));
  size_ = std::max(size_, first + hashes.size());
  return {};
}

Result<void> LeafFile::truncate(std::uint64_t size) {
  if (size >= size_) return {};
  if (const auto cut = file_->truncate(offset(size)); !cut) return fail(as_error(cut.error()));
  size_ = size;
  return {};
}

Result<void> LeafFile::sync() {
  if (const auto synced = file_->sync(); !synced) return fail(as_error(synced.error()));
  return {};
}

Result<std::vector<LeafHash>> LeafFile::read(FileSystem& files, const std::string& path, const std::string& cluster) {
  const auto bytes = files.read(path);
  if (!bytes) return fail(as_error(bytes.error()));
  if (const auto ours = check_header(*bytes, path, cluster); !ours) return fail(ours.error());
  std::vector<LeafHash> hashes((bytes->size() - kHeaderBytes) / kHashBytes);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const std::string_view one = std::string_view(*bytes).substr(offset(i), kHashBytes);
    std::copy(one.begin(), one.end(), hashes[i].begin());
  }
  return hashes;
}

}  // namespace ordeal::log::wal
