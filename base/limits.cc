#include "base/limits.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace ordeal {
namespace {

// The bytes of this process that belong to no file. 0 when the kernel does not say.
std::size_t own_memory() {
  static const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[128];
  const ssize_t n = file < 0 ? -1 : ::pread(file, text, sizeof text - 1, 0);
  if (n <= 0) return 0;
  text[n] = '\0';
  unsigned long size = 0, resident = 0, shared = 0;
  if (std::sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3) return 0;
  return (resident - std::min(resident, shared)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::size_t usable_memory() {
  std::ifstream in("/proc/meminfo");
  std::string word;
  std::size_t kilobytes = 0;
  while (in >> word) {
    if (word == "MemAvailable:" && in >> kilobytes) return kilobytes / 4 * 3 * 1024;
  }
  return std::size_t{2} << 30;
}

Limits::Limits(std::chrono::milliseconds timeout, std::size_t memory_bytes, std::stop_token stop)
    : limited_(true),
      timeout_(timeout),
      ceiling_(own_memory() + (memory_bytes > 0 ? memory_bytes : usable_memory())),
      stop_(std::move(stop)) {
  if (timeout.count() > 0) deadline_ = std::chrono::steady_clock::now() + timeout;
}

std::string Limits::exceeded() const {
  if (!limited_) return {};
  if (stop_.stop_requested()) return "stopped on request";
  if (timeout_.count() > 0 && std::chrono::steady_clock::now() >= deadline_) return "the time limit was reached";
  if (own_memory() > ceiling_) return "the memory limit was reached";
  return {};
}

void Limits::check() const {
  if (std::string why = exceeded(); !why.empty()) throw OutOfLimits(std::move(why));
}

void Limits::need(std::size_t bytes) const {
  check();
  if (!limited_) return;
  if (const std::size_t left = room(); bytes > left) {
    throw OutOfLimits("the memory limit was reached (about " + std::to_string((bytes >> 20) + 1) + " MiB are needed, " +
                      std::to_string(left >> 20) + " MiB are left)");
  }
}

std::size_t Limits::room() const {
  if (!limited_) return SIZE_MAX;
  const std::size_t held = own_memory();
  return held < ceiling_ ? ceiling_ - held : 0;
}

std::chrono::milliseconds Limits::time_left() const {
  using std::chrono::milliseconds;
  if (timeout_.count() == 0) return milliseconds(0);
  return std::max(milliseconds(1),
                  std::chrono::duration_cast<milliseconds>(deadline_ - std::chrono::steady_clock::now()));
}

}  // namespace ordeal
