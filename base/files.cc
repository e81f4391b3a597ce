#include "base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/descriptor.h"

namespace ordeal {
namespace {

// A name beside `path` that no other thread or process uses.
std::string temporary_beside(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return path + ".new-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
}

}  // namespace

Error system_error(std::string_view doing, int error_number) {
  ErrorCode code = ErrorCode::io;
  if (error_number == ENOENT || error_number == ENOTDIR) code = ErrorCode::not_found;
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS) code = ErrorCode::permission;
  return Error{code, std::string(doing) + ": " + std::generic_category().message(error_number)};
}

Result<std::string> read_text_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(system_error("reading " + path, errno));
  std::string out;
  char buffer[65536];
  while (true) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(system_error("reading " + path, errno));
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<void> write_all(int fd, std::string_view contents, const std::string& path) {
  while (!contents.empty()) {
    const ssize_t n = ::write(fd, contents.data(), contents.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(system_error("writing " + path, errno));
    contents.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view contents) {
  const std::string temporary = temporary_beside(path);
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file) return fail(system_error("creating " + temporary, errno));
    auto written = write_all(file.get(), contents, path);
    // The name must not come to point to a file whose contents a crash of the machine could still lose.
    if (written && ::fdatasync(file.get()) != 0) written = fail(system_error("flushing " + path, errno));
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return fail(system_error("replacing " + path, error));
  }
  return {};
}

Result<void> replace_link(const std::string& link, const std::string& destination) {
  const std::string temporary = temporary_beside(link);
  if (::symlink(destination.c_str(), temporary.c_str()) != 0) {
    return fail(system_error("creating the link " + temporary, errno));
  }
  if (::rename(temporary.c_str(), link.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return fail(system_error("replacing the link " + link, error));
  }
  return {};
}

Result<void> make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(system_error("creating the directory " + path, error.value()));
  return {};
}

}  // namespace ordeal
