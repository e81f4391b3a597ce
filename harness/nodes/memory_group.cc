#include "harness/nodes/memory_group.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/descriptor.h"

namespace ordeal::nodes {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "ordeal-";
constexpr const char* kVersion1 = "/sys/fs/cgroup/memory";
constexpr const char* kVersion2 = "/sys/fs/cgroup";
// A process that was killed leaves its group when it has ended, which on a busy machine takes a while: two seconds.
constexpr int kRemovals = 100;
constexpr std::chrono::milliseconds kBetweenRemovals{20};

bool write_to(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool has_word(const std::string& path, const std::string& word) {
  std::ifstream in(path);
  for (std::string one; in >> one;) {
    if (one == word) return true;
  }
  return false;
}

// This process's group: of the memory controller of version 1, or of version 2.
std::string own_group(bool version2) {
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool wanted = version2 ? line.starts_with("0::") : controllers.find(",memory,") != std::string::npos;
    if (wanted) return line.substr(second + 1) == "/" ? "" : line.substr(second + 1);
  }
  return "";
}

}  // namespace

std::string make_memory_group(const std::string& cluster) {
  const std::string name = kPrefix + cluster;
  if (fs::exists(std::string(kVersion1) + "/memory.limit_in_bytes")) {
    // Beneath ours, where we see it; a container may see its own as the root.
    for (const std::string& parent : {kVersion1 + own_group(false), std::string(kVersion1)}) {
      const std::string group = parent + "/" + name;
      if (::mkdir(group.c_str(), 0755) == 0 || fs::is_directory(group)) return group;
    }
    return "";
  }
  // Version 2: a group with processes of its own hands no controller down, so the nearest above that does.
  for (std::string at = own_group(true);; at.resize(at.find_last_of('/'))) {
    const std::string parent = kVersion2 + at;
    if (has_word(parent + "/cgroup.subtree_control", "memory")) {
      const std::string group = parent + "/" + name;
      if (::mkdir(group.c_str(), 0755) != 0 && !fs::is_directory(group)) return "";
      if (write_to(group + "/cgroup.subtree_control", "+memory")) return group;
      ::rmdir(group.c_str());
      return "";
    }
    if (at.empty()) return "";
  }
}

std::string make_node_group(const std::string& group, const std::string& node, std::size_t limit) {
  const std::string path = group + "/" + node;
  if (::mkdir(path.c_str(), 0755) != 0 && !fs::is_directory(path)) return "";
  const std::string bytes = std::to_string(limit);
  return write_to(path + "/memory.max", bytes) || write_to(path + "/memory.limit_in_bytes", bytes) ? path : "";
}

bool join_memory_group(const std::string& group) { return write_to(group + "/cgroup.procs", "0"); }

std::int64_t killed_in_memory_group(const std::string& group) {
  for (const char* name : {"/memory.events", "/memory.oom_control"}) {
    std::ifstream in(group + name);
    std::int64_t count = 0;
    for (std::string word; in >> word >> count;) {
      if (word == "oom_kill") return count;
    }
  }
  return 0;
}

void remove_memory_group(const std::string& group) {
  if (fs::path(group).filename().string().rfind(kPrefix, 0) != 0) return;
  for (int tries = 0; tries < kRemovals; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(kBetweenRemovals);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(group, error)) {
      if (entry.is_directory(error)) ::rmdir(entry.path().c_str());
    }
    if (::rmdir(group.c_str()) == 0 || errno != EBUSY) return;
  }
}

std::size_t default_node_memory() {
  return static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) / 2 * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace ordeal::nodes
