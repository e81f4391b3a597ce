#pragma once
// PosixFiles: the FileSystem of a running node, by system calls. DirectoryLock: one process a data directory.
// Thread-safety: PosixFiles has no state; files belong to one thread at a time.

#include <memory>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"
#include "targets/log/server/wal/file_system.h"

namespace ordeal::log::wal {

class PosixFiles : public FileSystem {
 public:
  IoResult<std::vector<std::string>> list(const std::string& directory) override;
  IoResult<std::string> read(const std::string& path) override;
  IoResult<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  IoResult<void> rename(const std::string& from, const std::string& to) override;
  IoResult<void> remove(const std::string& path) override;
  IoResult<void> make_directory(const std::string& path) override;
  IoResult<void> sync_directory(const std::string& path) override;
};

// Held for as long as the object lives; the kernel lets go of it when the process dies.
class DirectoryLock {
 public:
  // Makes the directory (one level) and locks the file LOCK in it. Errors: io, permission; target when another process
  // holds it.
  [[nodiscard]] static Result<DirectoryLock> take(const std::string& directory);

 private:
  Descriptor lock_;
};

}  // namespace ordeal::log::wal
