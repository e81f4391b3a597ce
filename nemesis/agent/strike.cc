#include "nemesis/agent/strike.h"

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "nemesis/agent/proc.h"
#include "nemesis/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kMostWaitNs = 10'000'000'000;

}  // namespace

int strike_at(std::int64_t monotonic, const std::vector<std::string>& processes) {
  if (monotonic > monotonic_ns() + kMostWaitNs) {
    std::fputs("the moment is too far away\n", stderr);
    return 1;
  }
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
