#include "targets/log/server/wal/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/files.h"

namespace ordeal::log::wal {
namespace {

// Before anything else may change errno.
tl::unexpected<IoError> io_error(const std::string& path, const char* call) {
  const int number = errno;
  return tl::unexpected(IoError{number, path + ": " + call + ": " + std::generic_category().message(number)});
}

class PosixFile : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  IoResult<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n == 0) errno = EIO;
      if (n <= 0) return io_error(path_, "write");
      offset += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }
  IoResult<void> truncate(std::uint64_t size) override {
    if (::ftruncate(descriptor_.get(), static_cast<off_t>(size)) != 0) return io_error(path_, "truncate");
    return {};
  }
  IoResult<void> sync() override {
    if (::fdatasync(descriptor_.get()) != 0) return io_error(path_, "fdatasync");
    return {};
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

}  // namespace

IoResult<std::vector<std::string>> PosixFiles::list(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
  if (open == nullptr) return io_error(directory, "opendir");
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(open.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) return io_error(directory, "readdir");
  std::sort(names.begin(), names.end());
  return names;
}

IoResult<std::string> PosixFiles::read(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return io_error(path, "open");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return io_error(path, "fstat");
  if (!S_ISREG(status.st_mode)) {
    errno = EISDIR;
    return io_error(path, "not a regular file");
  }
  std::string contents(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t at = 0;
  while (at < contents.size()) {
    const ssize_t n = ::pread(file.get(), contents.data() + at, contents.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error(path, "read");
    if (n == 0) break;
    at += static_cast<std::size_t>(n);
  }
  contents.resize(at);
  return contents;
}

IoResult<std::unique_ptr<File>> PosixFiles::open(const std::string& path, OpenMode mode) {
  const int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (mode == OpenMode::create ? O_CREAT | O_EXCL : 0);
  Descriptor file(::open(path.c_str(), flags, 0600));
  if (!file) return io_error(path, "open");
  return std::make_unique<PosixFile>(std::move(file), path);
}

IoResult<void> PosixFiles::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return io_error(from, "rename");
  return {};
}

IoResult<void> PosixFiles::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return io_error(path, "unlink");
  return {};
}

IoResult<void> PosixFiles::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return io_error(path, "mkdir");
  return {};
}

IoResult<void> PosixFiles::sync_directory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return io_error(path, "open");
  if (::fsync(directory.get()) != 0) return io_error(path, "fsync");
  return {};
}

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(system_error("making the data directory " + directory, errno));
  }
  const std::string path = directory + "/LOCK";
  DirectoryLock lock;
  lock.lock_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.lock_) return fail(system_error("opening " + path, errno));
  if (::flock(lock.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(system_error("locking " + path, errno));
    return fail(ErrorCode::target, "another process uses the data directory " + directory +
                                       " (it holds LOCK); stop it, or name another directory");
  }
  return lock;
}

}  // namespace ordeal::log::wal
