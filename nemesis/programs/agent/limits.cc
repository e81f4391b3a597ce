#include "nemesis/programs/agent/limits.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "nemesis/programs/agent/background.h"
#include "nemesis/programs/agent/followers.h"
#include "nemesis/programs/agent/proc.h"

namespace ordeal::agent {
namespace {

std::string limits_file(const std::string& folder) { return folder + "/limits"; }

// The number that the next file a process opens would get.
std::uint64_t next_descriptor(int process) {
  std::vector<std::uint64_t> open;
  DIR* const folder = ::opendir(("/proc/" + std::to_string(process) + "/fd").c_str());
  if (folder == nullptr) return 0;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] != '.') open.push_back(static_cast<std::uint64_t>(to_integer(entry->d_name)));
  }
  ::closedir(folder);
  std::sort(open.begin(), open.end());
  std::uint64_t next = 0;
  while (next < open.size() && open[next] == next) ++next;
  return next;
}

std::uint64_t address_space(int process) {
  const auto words = split(read_file("/proc/" + std::to_string(process) + "/statm"), " ");
  return words.empty()
             ? 0
             : static_cast<std::uint64_t>(to_integer(words[0])) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// One line of the file: what a process had, and what it has got.
struct Lowered {
  int process = 0;
  std::uint64_t started = 0;
  __rlimit_resource resource = RLIMIT_NOFILE;
  rlim_t before = 0;
  rlim_t now = 0;
};

bool lower(Lowered& one, const std::string& resource, std::uint64_t spare) {
  one.started = status_of(one.process).started;
  one.resource = resource == "files" ? RLIMIT_NOFILE : RLIMIT_AS;
  rlimit limit{};
  if (::prlimit(one.process, one.resource, nullptr, &limit) != 0) return false;
  one.before = limit.rlim_cur;
  one.now = spare + (resource == "files" ? next_descriptor(one.process) : address_space(one.process));
  return one.now < one.before || (errno = ERANGE, false);
}

bool set_soft(int process, __rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::prlimit(process, resource, nullptr, &limit) != 0) return errno == ESRCH;
  limit.rlim_cur = value;
  return ::prlimit(process, resource, &limit, nullptr) == 0 || errno == ESRCH;
}

std::string to_line(const Lowered& one) {
  return std::to_string(one.process) + " " + std::to_string(one.started) + " " + std::to_string(one.resource) + " " +
         std::to_string(one.before) + " " + std::to_string(one.now) + "\n";
}

std::uint64_t to_unsigned(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

std::vector<Lowered> read_lowered(const std::string& folder) {
  std::vector<Lowered> out;
  for (const std::string& line : split(read_file(limits_file(folder)), "\n")) {
    const auto words = split(line, " ");
    if (words.size() < 5) continue;
    out.push_back({static_cast<int>(to_integer(words[0])), to_unsigned(words[1]),
                   static_cast<__rlimit_resource>(to_integer(words[2])), to_unsigned(words[3]), to_unsigned(words[4])});
  }
  return out;
}

}  // namespace

int start_limit_fault(const std::string& folder, const std::string& resource, std::uint64_t spare,
                      const std::vector<int>& processes) {
  hold_signals();
  std::vector<Lowered> all;
  std::string lines;
  for (const int process : processes) {
    Lowered one;
    one.process = process;
    if (!lower(one, resource, spare)) {
      if (!status_of(process).alive()) continue;
      std::fprintf(stderr, "process %d: its limit cannot be lowered: %s\n", process, std::strerror(errno));
      return 1;
    }
    all.push_back(one);
    lines += to_line(one);
  }
  if (all.empty() || !write_file(limits_file(folder), lines)) {
    std::fputs(all.empty() ? "the processes have ended\n" : "the limits cannot be kept\n", stderr);
    return 1;
  }
  for (const Lowered& one : all) {
    if (!set_soft(one.process, one.resource, one.now)) {
      std::fprintf(stderr, "process %d: %s\n", one.process, std::strerror(errno));
      return 1;
    }
    std::printf("%d %llu\n", one.process, static_cast<unsigned long long>(one.now));
  }
  return 0;
}

int undo_limit_fault(const std::string& folder) {
  hold_signals();
  bool good = true;
  // The parent first: from then on what it forks is as it should be.
  for (const Lowered& one : read_lowered(folder)) {
    const ProcessStatus status = status_of(one.process);
    if (!status.alive() || status.started != one.started) continue;
    good = set_soft(one.process, one.resource, one.before) && good;
    Followers family;
    if (!family.add(one.process)) continue;
    for (const int process : family.look()) {
      rlimit limit{};
      if (::prlimit(process, one.resource, nullptr, &limit) != 0 || limit.rlim_cur != one.now) continue;
      good = set_soft(process, one.resource, one.before) && good;
    }
  }
  return good ? 0 : 1;
}

}  // namespace ordeal::agent
