#include "base/files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/deadline.h"

namespace ordeal {
namespace {

// A name beside `path` that no other thread or process uses.
std::string temporary_beside(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return path + ".new-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
}

constexpr std::size_t kMaxFile = std::size_t{1} << 30;
constexpr double kSilence_s = 60;

// The word for what is no file that ends; null: it is one.
const char* no_file(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return "a directory";
  if (S_ISSOCK(status.st_mode)) return "a socket";
  if (S_ISFIFO(status.st_mode)) return "a FIFO";
  if (S_ISBLK(status.st_mode)) return "a device";
  if (S_ISCHR(status.st_mode) && status.st_rdev != makedev(1, 3)) return "a device";  // 1, 3: /dev/null
  return nullptr;
}

// A pipe of pipe(2), whose other end somebody here holds.
bool nameless_pipe(const std::string& path) {
  struct statfs where {};
  return ::statfs(path.c_str(), &where) == 0 && where.f_type == PIPEFS_MAGIC;
}

}  // namespace

Error system_error(std::string_view doing, int error_number) {
  ErrorCode code = ErrorCode::io;
  if (error_number == ENOENT || error_number == ENOTDIR) code = ErrorCode::not_found;
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS) code = ErrorCode::permission;
  return Error{code, std::string(doing) + ": " + std::generic_category().message(error_number)};
}

Result<Descriptor> open_to_read(const std::string& path) {
  // Looked at before it is opened, as opening alone may wait or move something, and after, as it may have been
  // replaced.
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail(system_error("reading " + path, errno));
  const bool pipe = S_ISFIFO(status.st_mode) && nameless_pipe(path);
  const char* what = pipe ? nullptr : no_file(status);
  Descriptor file;
  if (what == nullptr) {
    file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file || ::fstat(file.get(), &status) != 0) return fail(system_error("reading " + path, errno));
    if (!pipe) what = no_file(status);
  }
  if (what != nullptr) {
    return fail(ErrorCode::input, path + ": is " + what + "; a regular file was expected" +
                                      (S_ISFIFO(status.st_mode) ? " (copy what comes out of it to one)" : ""));
  }
  return file;
}

Result<std::string> read_text_file(const std::string& path) {
  auto file = open_to_read(path);
  if (!file) return fail(file.error());
  std::string out;
  char buffer[65536];
  Deadline silence = Deadline::after_s(kSilence_s);
  while (true) {
    const ssize_t n = ::read(file->get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN && !silence.passed()) {
      pollfd wait{file->get(), POLLIN, 0};
      (void)::poll(&wait, 1, silence.poll_ms());
      continue;
    }
    if (n < 0 && errno == EAGAIN) return fail(ErrorCode::timeout, "reading " + path + ": nothing came for a minute");
    if (n < 0) return fail(system_error("reading " + path, errno));
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > kMaxFile) return fail(ErrorCode::io, "reading " + path + ": is larger than 1 GiB");
    silence = Deadline::after_s(kSilence_s);
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
