#include "nemesis/programs/disk/users.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::disk {
namespace {

// Of what an entry of /proc leads to, as the kernel has it in memory.
bool leads_to(int folder, const char* entry, const std::string& device) {
  struct statx info {};
  if (::statx(folder, entry, AT_STATX_DONT_SYNC, STATX_TYPE, &info) != 0) return false;
  return std::to_string(info.stx_dev_major) + ":" + std::to_string(info.stx_dev_minor) == device;
}

bool has_open(const std::string& process, const std::string& device) {
  DIR* const open = ::opendir((process + "/fd").c_str());
  if (open == nullptr) return false;
  bool found = false;
  while (const dirent* entry = found ? nullptr : ::readdir(open))
    found = leads_to(::dirfd(open), entry->d_name, device);
  ::closedir(open);
  return found;
}

// 7f1c8a600000-7f1c8a800000 rw-s 00000000 00:35 1234 /a/file
bool has_mapped(const std::string& process, const std::string& device) {
  const auto words = agent::split(device, ":");
  if (words.size() != 2) return false;
  char as_in_maps[32];
  std::snprintf(as_in_maps, sizeof as_in_maps, " %02llx:%02llx ",
                static_cast<unsigned long long>(agent::to_integer(words[0])),
                static_cast<unsigned long long>(agent::to_integer(words[1])));
  return agent::read_file(process + "/maps").find(as_in_maps) != std::string::npos;
}

bool uses(int process, const std::string& device) {
  const std::string folder = "/proc/" + std::to_string(process);
  return leads_to(AT_FDCWD, (folder + "/cwd").c_str(), device) || has_open(folder, device) ||
         has_mapped(folder, device);
}

}  // namespace

std::vector<int> end_users(const std::string& device, int server, int wait_ms, bool& all_gone) {
  std::vector<int> out;
  const std::int64_t until = agent::monotonic_ns() + wait_ms * std::int64_t{1'000'000};
  do {
    all_gone = true;
    for (const int process : agent::all_processes()) {
      if (process == ::getpid() || process == server || !agent::status_of(process).alive() || !uses(process, device))
        continue;
      all_gone = false;
      (void)::kill(process, SIGKILL);
      if (std::find(out.begin(), out.end(), process) == out.end()) out.push_back(process);
    }
    if (!all_gone) agent::pause_ns(5'000'000);
  } while (!all_gone && agent::monotonic_ns() < until);
  return out;
}

}  // namespace ordeal::disk
