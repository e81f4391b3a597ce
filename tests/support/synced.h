#pragma once
// Which files this program has synced to disk, in order: fdatasync() and fsync() of the C library are replaced by ones
// that write it down. What a machine that loses its power would forget can be seen no other way. To be included by one
// source of a program only.

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

namespace ordeal::testing_support {

struct Synced {
  std::mutex mutex;
  std::vector<std::string> paths;

  static Synced& instance() {
    static Synced one;
    return one;
  }
  void add(int file) {
    std::error_code ignored;
    const std::string path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), ignored).string();
    const std::lock_guard lock(mutex);
    paths.push_back(path);
  }
  // How often that file or folder was synced, or with `beside` files whose names begin so; forgotten with clear().
  static std::size_t times(const std::string& path, bool beside = false) {
    const std::string real = std::filesystem::weakly_canonical(path).string();
    const std::lock_guard lock(instance().mutex);
    const auto& all = instance().paths;
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const std::string& one) { return beside ? one.starts_with(real) : one == real; }));
  }
  static void clear() {
    const std::lock_guard lock(instance().mutex);
    instance().paths.clear();
  }
};

}  // namespace ordeal::testing_support

extern "C" int fdatasync(int file) {
  ordeal::testing_support::Synced::instance().add(file);
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}
extern "C" int fsync(int file) {
  ordeal::testing_support::Synced::instance().add(file);
  return static_cast<int>(::syscall(SYS_fsync, file));
}
