#pragma once
// FileSystem: all that storage asks of a disk, so that tests and the simulation can lose, tear, fill and break it.
//
// posix_files.h is the real one, simulated_disk.h the one in memory whose power can be cut. Every call is synchronous.
// What a call wrote is durable only after sync() of the file, and a name (made, renamed, removed) only after
// sync_directory() of the folder it is in: ext4 and xfs promise no more.
//
// Thread-safety: one thread at a time, each object.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace ordeal::log::wal {

struct IoError {
  int number = 0;    // errno: ENOSPC, EDQUOT, EIO, ENOENT, …
  std::string what;  // "wal/00…1.wal: fdatasync: Input/output error"

  // The disk, or the quota, is full: what was asked may succeed later.
  [[nodiscard]] bool no_room() const;
};

template <class T>
using IoResult = tl::expected<T, IoError>;

// An open file, for writing.
class File {
 public:
  virtual ~File() = default;
  // Writes all of it at this offset, growing the file. After an error any part of it may have been written.
  [[nodiscard]] virtual IoResult<void> write_at(std::uint64_t offset, std::string_view bytes) = 0;
  [[nodiscard]] virtual IoResult<void> truncate(std::uint64_t size) = 0;
  // fdatasync(2). After an error nobody knows what of the writes since the last success is on disk, and a later success
  // says nothing of them: the kernel has marked the pages clean ("fsyncgate", PostgreSQL, 2018).
  [[nodiscard]] virtual IoResult<void> sync() = 0;
};

enum class OpenMode { create, existing };  // create: it must not exist

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // The names of a folder's files, ascending. ENOENT when there is no such folder.
  [[nodiscard]] virtual IoResult<std::vector<std::string>> list(const std::string& directory) = 0;
  // The whole file.
  [[nodiscard]] virtual IoResult<std::string> read(const std::string& path) = 0;
  [[nodiscard]] virtual IoResult<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // Replaces `to` if it is there.
  [[nodiscard]] virtual IoResult<void> rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual IoResult<void> remove(const std::string& path) = 0;
  // One level; no error when it is there.
  [[nodiscard]] virtual IoResult<void> make_directory(const std::string& path) = 0;
  [[nodiscard]] virtual IoResult<void> sync_directory(const std::string& path) = 0;
};

// Writes `path` whole, so that after any crash either the old or the new contents are there: a file beside it, synced,
// renamed, and the folder synced. After an error the old contents are still there.
[[nodiscard]] IoResult<void> replace_file(FileSystem& files, const std::string& path, std::string_view contents);

}  // namespace ordeal::log::wal
