#include "nemesis/programs/disk/probe.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "nemesis/programs/agent/timing.h"

namespace ordeal::disk {
namespace {

constexpr std::size_t kSize = 4096;

// A name that the target, to which the directory belongs, cannot know before.
std::string new_name() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) number = static_cast<std::uint64_t>(::getpid());
  return ".ordeal-probe-" + std::to_string(number);
}

// One attempt's file, new each time: some faults hit a file once. It is created or not opened at all: what lies there
// under its name, a link to another file of the node perhaps, is never written to.
class ProbeFile {
 public:
  explicit ProbeFile(const std::string& directory)
      : name_(new_name()), directory_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    // O_DIRECT: what the kernel has in its cache tells nothing about the disk.
    constexpr int kHow = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_DIRECT;
    if (directory_ >= 0) file_ = ::openat(directory_, name_.c_str(), kHow, 0600);
    if (file_ < 0) error_ = errno;
    buffer_ = static_cast<char*>(std::aligned_alloc(kSize, kSize));
    std::memset(buffer_, 'x', kSize);
  }
  ~ProbeFile() {
    if (file_ >= 0) {
      ::close(file_);
      (void)::unlinkat(directory_, name_.c_str(), 0);
    }
    if (directory_ >= 0) ::close(directory_);
    std::free(buffer_);
  }
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;

  bool write() { return good(::pwrite(file_, buffer_, kSize, 0)); }
  bool sync() { return good(::fsync(file_)); }
  // Into the buffer, which then holds zeros where the file has nothing.
  bool read() {
    std::memset(buffer_, 0, kSize);
    return good(::pread(file_, buffer_, kSize, 0));
  }
  [[nodiscard]] bool is_open() const { return file_ >= 0; }
  [[nodiscard]] bool is_intact() const {
    return std::all_of(buffer_, buffer_ + kSize, [](char c) { return c == 'x'; });
  }
  [[nodiscard]] int error() const { return error_; }

 private:
  bool good(ssize_t returned) {
    if (returned < 0 && error_ == 0) error_ = errno;
    return returned >= 0;
  }
  const std::string name_;
  const int directory_;
  int file_ = -1;
  int error_ = 0;
  char* buffer_ = nullptr;
};

// Whether the fault showed itself.
bool attempt(ProbeFile& file, const std::string& kind, std::int64_t slow_ns, std::int64_t& slowest_ns) {
  if (kind == "no-space") return !file.is_open() || !file.write() ? file.error() == ENOSPC : false;
  if (!file.is_open()) return false;
  if (kind == "write-error") return !file.write() && file.error() == EIO;
  if (!file.write()) return false;
  if (kind == "read-error") return !file.read() && file.error() == EIO;
  if (kind == "corrupt-read") return file.read() && !file.is_intact();
  const std::int64_t before = agent::monotonic_ns();
  const bool synced = file.sync();
  const std::int64_t took = agent::monotonic_ns() - before;
  slowest_ns = std::max(slowest_ns, took);
  if (kind == "sync-error") return !synced && file.error() == EIO;
  if (kind == "sync-lost") return !synced && file.sync() && file.read() && !file.is_intact();
  return took >= slow_ns;
}

}  // namespace

ProbeResult probe(const std::string& directory, const std::string& kind, std::int64_t attempts, std::int64_t for_ns,
                  std::int64_t slow_ns) {
  ProbeResult out;
  const std::int64_t end = agent::monotonic_ns() + for_ns;
  while (out.attempts < attempts && out.hits == 0 && agent::monotonic_ns() < end) {
    ProbeFile file(directory);
    ++out.attempts;
    if (attempt(file, kind, slow_ns, out.slowest_ns)) ++out.hits;
    if (out.error == 0) out.error = file.error();
  }
  return out;
}

}  // namespace ordeal::disk
