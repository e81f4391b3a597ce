#include "harness/runner/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>

namespace ordeal {
namespace {

// Of the program itself, beside workers and nodes.
constexpr std::size_t kOwnDescriptors = 200;
constexpr std::size_t kOwnTasks = 100;
constexpr std::size_t kDescriptorsOfANode = 8;
constexpr std::size_t kThreadsOfANode = 4;
// A thread's stack and its guard.
constexpr std::size_t kMappingsOfAThread = 2;
constexpr std::size_t kOwnMappings = 5000;

// The first number of a file; `otherwise` when there is none ("max").
std::size_t number_in(const std::string& path, std::size_t otherwise) {
  std::ifstream file(path);
  std::size_t out = 0;
  return file >> out ? out : otherwise;
}

void lower(MachineLimits& limits, std::size_t tasks, const std::string& by) {
  if (tasks >= limits.tasks) return;
  limits.tasks = tasks;
  limits.tasks_by = by;
}

// What the control groups (version 2) above this process leave.
void look_at_groups(MachineLimits& limits) {
  std::ifstream own("/proc/self/cgroup");
  for (std::string line; std::getline(own, line);) {
    if (!line.starts_with("0::/")) continue;
    for (std::string path = line.substr(3); !path.empty(); path.resize(path.find_last_of('/'))) {
      const std::string folder = "/sys/fs/cgroup" + path;
      const std::size_t most = number_in(folder + "/pids.max", SIZE_MAX);
      if (most == SIZE_MAX) continue;
      const std::size_t now = number_in(folder + "/pids.current", 0);
      lower(limits, most - std::min(most, now), "pids.max of the control group " + path);
    }
  }
}

// All tasks of the machine: "0.20 0.18 0.12 1/80 11206" has their number after the slash.
std::size_t tasks_now() {
  std::ifstream file("/proc/loadavg");
  std::string word;
  for (int i = 0; i < 4; ++i) file >> word;
  const auto slash = word.find('/');
  return slash == std::string::npos ? 0
                                    : static_cast<std::size_t>(std::strtoull(word.c_str() + slash + 1, nullptr, 10));
}

}  // namespace

MachineLimits machine_limits() {
  MachineLimits out;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    if (files.rlim_cur < files.rlim_max) {
      files.rlim_cur = files.rlim_max;
      (void)::setrlimit(RLIMIT_NOFILE, &files);
      (void)::getrlimit(RLIMIT_NOFILE, &files);
    }
    out.descriptors = files.rlim_cur == RLIM_INFINITY ? SIZE_MAX : files.rlim_cur;
  } else {
    out.descriptors = SIZE_MAX;
  }
  out.tasks = SIZE_MAX;
  const std::size_t now = tasks_now();
  for (const char* name : {"threads-max", "pid_max"}) {
    const std::size_t most = number_in(std::string("/proc/sys/kernel/") + name, SIZE_MAX);
    if (most != SIZE_MAX) lower(out, most - std::min(most, now), std::string("kernel.") + name);
  }
  look_at_groups(out);
  // Root is not bound by it.
  rlimit processes{};
  if (::geteuid() != 0 && ::getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_cur != RLIM_INFINITY) {
    lower(out, processes.rlim_cur, "the limit of processes of this user (ulimit -u)");
  }
  const std::size_t mappings = number_in("/proc/sys/vm/max_map_count", SIZE_MAX);
  out.threads_of_a_process =
      mappings == SIZE_MAX ? SIZE_MAX : (mappings - std::min(mappings, kOwnMappings)) / kMappingsOfAThread;
  return out;
}

std::string limits_problem(const WorkerNeeds& needs, const MachineLimits& limits) {
  const auto of_all = [&](double each) {
    return static_cast<std::size_t>(std::ceil(static_cast<double>(needs.workers) * each));
  };
  const std::size_t descriptors = kOwnDescriptors + of_all(needs.descriptors_each) + needs.nodes * kDescriptorsOfANode;
  if (descriptors > limits.descriptors) {
    return fmt::format(
        "{} workers need about {} open files, and this process may have {}: raise the limit (ulimit -n {}, or "
        "LimitNOFILE= of the service) or ask for a lower --concurrency",
        needs.workers, descriptors, limits.descriptors, descriptors);
  }
  const std::size_t threads = kOwnTasks + needs.workers + needs.nodes * kThreadsOfANode;
  if (threads > limits.threads_of_a_process) {
    return fmt::format(
        "{} workers need about {} threads, and vm.max_map_count leaves this process {}: raise it (sysctl -w "
        "vm.max_map_count={}) or ask for a lower --concurrency",
        needs.workers, threads, limits.threads_of_a_process, threads * kMappingsOfAThread + kOwnMappings);
  }
  const std::size_t tasks = threads + of_all(needs.processes_each);
  if (tasks > limits.tasks) {
    return fmt::format(
        "{} workers need about {} threads and processes, and {} leaves {}: raise that limit or ask for a lower "
        "--concurrency{}",
        needs.workers, tasks, limits.tasks_by, limits.tasks,
        needs.processes_each > 0 ? "; an adapter that serves many workers needs fewer (targets/process/PROTOCOL.md)"
                                 : "");
  }
  return "";
}

}  // namespace ordeal
