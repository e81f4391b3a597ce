#include "base/limits.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace ordeal {
namespace {

// A number in a file of a control group; nothing for "max", or when there is no such file.
std::optional<std::size_t> group_number(const std::string& path) {
  std::ifstream in(path);
  std::size_t number = 0;
  return in >> number ? std::optional(number) : std::nullopt;
}

// What the control groups (version 2) around this process leave it: a container's limit is none of the machine's.
std::size_t free_in_groups() {
  std::size_t least = std::numeric_limits<std::size_t>::max();
  std::ifstream in("/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with("0::/")) continue;
    for (std::string group = line.substr(3); !group.empty(); group.resize(group.find_last_of('/'))) {
      const std::string folder = "/sys/fs/cgroup" + (group == "/" ? "" : group);
      const auto max = group_number(folder + "/memory.max"), now = group_number(folder + "/memory.current");
      if (max && now) least = std::min(least, *max - std::min(*max, *now));
    }
  }
  return least;
}

}  // namespace

std::size_t held_memory() {
  static const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[128];
  const ssize_t n = file < 0 ? -1 : ::pread(file, text, sizeof text - 1, 0);
  if (n <= 0) return 0;
  text[n] = '\0';
  unsigned long size = 0, resident = 0, shared = 0;
  if (std::sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3) return 0;
  return (resident - std::min(resident, shared)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void return_freed_memory() { (void)::malloc_trim(0); }

std::size_t usable_memory() {
  std::ifstream in("/proc/meminfo");
  std::string word;
  std::size_t free = std::size_t{4} << 30;
  for (std::size_t kilobytes = 0; in >> word;) {
    if (word == "MemAvailable:" && in >> kilobytes) free = kilobytes * 1024;
  }
  return std::min(free, free_in_groups()) / 2;
}

Limits::Limits(std::chrono::milliseconds timeout, std::size_t memory_bytes, std::stop_token stop)
    : limited_(true),
      timeout_(timeout),
      ceiling_(held_memory() + (memory_bytes > 0 ? memory_bytes : usable_memory())),
      stop_(std::move(stop)) {
  if (timeout.count() > 0) deadline_ = std::chrono::steady_clock::now() + timeout;
}

std::string Limits::exceeded() const {
  if (!limited_) return {};
  if (stop_.stop_requested()) return "stopped on request";
  if (timeout_.count() > 0 && std::chrono::steady_clock::now() >= deadline_) return "the time limit was reached";
  if (held_memory() > ceiling_) return "the memory limit was reached";
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
  const std::size_t held = held_memory();
  return held < ceiling_ ? ceiling_ - held : 0;
}

std::chrono::milliseconds Limits::time_left() const {
  using std::chrono::milliseconds;
  if (timeout_.count() == 0) return milliseconds(0);
  return std::max(milliseconds(1),
                  std::chrono::duration_cast<milliseconds>(deadline_ - std::chrono::steady_clock::now()));
}

}  // namespace ordeal
