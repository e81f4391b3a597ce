#pragma once
// LeafFile: the hashes of the log's leaves, in order, in a file: what `verify` holds the state against that it replays
// from snapshot and log, so that it can name the leaf. It can always be made anew from them, so that appending to it
// waits for no sync.
//
// Format: a header of 128 bytes (magic, version, cluster, CRC32C), then 32 bytes a leaf. Thread-safety: one thread.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "targets/log/server/wal/file_system.h"

namespace ordeal::log::wal {

using LeafHash = std::array<std::uint8_t, 32>;

class LeafFile {
 public:
  // Opens or makes `path`, whose folder must be there. Half a hash at its end (a crash) is cut. Errors: input, when it
  // is damaged or of another cluster; io.
  [[nodiscard]] static Result<std::unique_ptr<LeafFile>> open(FileSystem& files, const std::string& path,
                                                              const std::string& cluster);
  [[nodiscard]] std::uint64_t size() const { return size_; }  // leaves
  // Writes the hashes of leaves `first`, first + 1, …, over those that are there. Requires: first <= size().
  [[nodiscard]] Result<void> write(std::uint64_t first, std::span<const LeafHash> hashes);
  // Forgets the leaves from `size` on.
  [[nodiscard]] Result<void> truncate(std::uint64_t size);
  [[nodiscard]] Result<void> sync();

  // All hashes. Errors: input, not_found, io.
  [[nodiscard]] static Result<std::vector<LeafHash>> read(FileSystem& files, const std::string& path,
                                                          const std::string& cluster);
  // Of leaf i within the file.
  [[nodiscard]] static std::uint64_t offset(std::uint64_t leaf) { return 128 + 32 * leaf; }

 private:
  LeafFile(std::unique_ptr<File> file, std::string path, std::uint64_t size);
  std::unique_ptr<File> file_;
  std::string path_;
  std::uint64_t size_;
};

}  // namespace ordeal::log::wal
