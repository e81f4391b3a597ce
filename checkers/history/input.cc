#include "checkers/history/input.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/descriptor.h"
#include "base/files.h"
#include "checkers/history/unpack.h"

namespace ordeal {
namespace {

// A history that unpacks to more than this is taken for a mistake or an attack.
constexpr std::size_t kUnpackLimit = std::size_t{16} << 30;

// How long to wait for bytes before asking the limits again.
constexpr int kLook_ms = 200;

Result<std::string> read_all(int fd, const std::string& path, const Limits& limits) {
  std::string out;
  std::size_t used = 0;
  for (;;) {
    make_room(out, used, limits);
    // Whoever writes a pipe may never do so.
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, kLook_ms) == 0) continue;
    const ssize_t n = ::read(fd, out.data() + used, out.size() - used);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return fail(system_error("reading " + path, errno));
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
  }
  out.resize(used);
  return out;
}

}  // namespace

Result<Input> Input::open(const std::string& path, const Limits& limits) {
  auto input = open_packed(path, limits);
  if (!input || packing_of(input->text()) == Packing::none) return input;
  auto unpacked = unpack(input->text(), kUnpackLimit, limits);
  if (!unpacked) return fail(unpacked.error().during(path));
  Input plain;
  plain.buffer_ = std::move(*unpacked);
  return plain;
}

Result<Input> Input::room(std::size_t size) {
  Input input;
  input.size_ = std::max<std::size_t>(size, 1);
  void* mapped = ::mmap(nullptr, input.size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    input.size_ = 0;
    return fail(ErrorCode::cancelled, "no memory for a history of " + std::to_string(size) + " bytes");
  }
  input.mapped_ = static_cast<const char*>(mapped);
  return input;
}

Result<Input> Input::open_packed(const std::string& path, const Limits& limits) {
  const bool standard_input = path == "-";
  Descriptor opened;
  if (!standard_input) {
    auto file = open_to_read(path);
    if (!file) return fail(file.error());
    opened = *std::move(file);
  }
  const int file = standard_input ? STDIN_FILENO : opened.get();
  struct stat status {};
  if (::fstat(file, &status) != 0) return fail(system_error("reading " + path, errno));

  Input input;
  if (!standard_input && S_ISREG(status.st_mode) && status.st_size > 0) {
    const auto size = static_cast<std::size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped != MAP_FAILED) {
      ::madvise(mapped, size, MADV_SEQUENTIAL);
      input.mapped_ = static_cast<const char*>(mapped);
      input.size_ = size;
      input.on_disk_ = true;
    }
  }
  if (input.mapped_ == nullptr) {
    auto all = read_all(file, path, limits);
    if (!all) return fail(all.error());
    input.buffer_ = std::move(*all);
  }
  return input;
}

void Input::release(std::string_view part) const {
  if (!on_disk_) return;
  static const auto kPage = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<std::size_t>(part.data() - mapped_), end = begin + part.size();
  const std::size_t from = begin / kPage * kPage, to = end == size_ ? end : end / kPage * kPage;
  if (from < to) ::madvise(const_cast<char*>(mapped_) + from, to - from, MADV_DONTNEED);
}

Input::Input(Input&& other) noexcept { *this = std::move(other); }

Input& Input::operator=(Input&& other) noexcept {
  std::swap(mapped_, other.mapped_);
  std::swap(size_, other.size_);
  std::swap(on_disk_, other.on_disk_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

Input::~Input() {
  if (mapped_ != nullptr) ::munmap(const_cast<char*>(mapped_), size_);
}

}  // namespace ordeal
