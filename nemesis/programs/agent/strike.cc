#include "nemesis/programs/agent/strike.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kMaxWaitNs = 10'000'000'000;

// Ahead of whoever keeps the processors busy, as far as the node allows it.
void take_precedence() {
  const sched_param first{.sched_priority = 1};
  if (::sched_setscheduler(0, SCHED_FIFO, &first) != 0) (void)::setpriority(PRIO_PROCESS, 0, -20);
  (void)::mlockall(MCL_CURRENT);
}

}  // namespace

int print_clock() {
  const std::int64_t now = monotonic_ns();
  const auto boot = split(read_file("/proc/sys/kernel/random/boot_id"), "\n");
  struct stat time_namespace {};  // stays 0 where the kernel has none
  (void)::stat("/proc/self/ns/time", &time_namespace);
  std::printf("%lld %s/%llu\n", static_cast<long long>(now), boot.empty() ? "-" : boot[0].c_str(),
              static_cast<unsigned long long>(time_namespace.st_ino));
  return 0;
}

int strike_at(std::int64_t monotonic, const std::vector<std::string>& processes) {
  if (monotonic > monotonic_ns() + kMaxWaitNs) {
    std::fputs("the moment is too far away\n", stderr);
    return 1;
  }
  take_precedence();
  const timespec moment{monotonic / 1'000'000'000, monotonic % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, nullptr) == EINTR) {
  }
  for (const std::string& one : processes) {
    const auto words = split(one, ":");
    if (words.size() != 2) return 64;
    const int process = static_cast<int>(to_integer(words[0]));
    const ProcessStatus status = status_of(process);
    if (!status.alive() || status.started != static_cast<std::uint64_t>(to_integer(words[1]))) continue;
    if (::kill(process, SIGKILL) == 0) std::printf("%lld\n", static_cast<long long>(monotonic_ns()));
  }
  return 0;
}

}  // namespace ordeal::agent
