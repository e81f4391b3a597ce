#include "nemesis/programs/agent/slow.h"

#include <cstdio>
#include <memory>

#include "nemesis/programs/agent/background.h"
#include "nemesis/programs/agent/followers.h"
#include "nemesis/programs/agent/timing.h"
#include "nemesis/programs/agent/tracee.h"

namespace ordeal::agent {
namespace {

void keep_slow(const std::string& folder, int percent, int period_ms, Followers& followers) {
  const std::int64_t period_ns = period_ms * std::int64_t{1'000'000};
  const std::int64_t stopped_ns = period_ns * (100 - percent) / 100;
  while (keep_going(folder)) {
    const std::int64_t began = monotonic_ns();
    {
      std::vector<std::unique_ptr<Tracee>> held;
      for (const int process : followers.look()) held.push_back(std::make_unique<Tracee>(process));
      pause_ns(stopped_ns - (monotonic_ns() - began));
    }
    // They get their share also when stopping them took long.
    const std::int64_t left = began + period_ns - monotonic_ns();
    pause_ns(std::max(left, period_ns - stopped_ns));
  }
}

}  // namespace

int start_slow_fault(const std::string& folder, int percent, int period_ms, const std::vector<int>& processes) {
  hold_signals();
  Followers followers;
  bool any = false;
  for (const int process : processes) {
    if (!followers.add(process)) continue;
    const Tracee once(process);
    if (!once.stopped()) {
      std::fprintf(stderr, "process %d: %s\n", process, once.problem().c_str());
      return 1;
    }
    any = true;
  }
  if (!any) {
    std::fputs("the processes have ended\n", stderr);
    return 1;
  }
  return start_background(folder, [&] { keep_slow(folder, percent, period_ms, followers); }) ? 0 : 1;
}

int undo_slow_fault(const std::string& folder) {
  hold_signals();
  end_background(folder);
  return 0;
}

}  // namespace ordeal::agent
