#include "nemesis/programs/agent/clock_watch.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "nemesis/programs/agent/background.h"
#include "nemesis/programs/agent/clock.h"
#include "nemesis/programs/agent/followers.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kLookEveryNs = 30'000'000;
constexpr int kRestShare = 15;  // at least so many times as long as a look takes is rest
constexpr int kRounds = 10;     // of looking for processes that were forked while we healed

// Resets every process in which the fault is in force; false when one could not be.
bool reset_all(std::string_view id) {
  for (int round = 0; round < kRounds; ++round) {
    bool found = false;
    for (const int process : all_processes()) {
      if (process == ::getpid() || find_page(process).id != id) continue;
      found = true;
      const std::string problem = reset_clock(process, id);
      if (!problem.empty()) std::fprintf(stderr, "process %d: %s\n", process, problem.c_str());
    }
    if (!found) return true;
  }
  return false;
}

// The first time: all of them, or the fault is not in force.
bool set_all(const std::vector<int>& processes, const std::string& folder, std::string_view id,
             const ClockParameters& parameters, Followers& followers) {
  bool good = true;
  for (const int process : processes) {
    if (!followers.add(process)) continue;
    const std::string problem = set_clock(process, folder, id, parameters);
    if (problem.empty()) {
      std::printf("set %d\n", process);
    } else if (status_of(process).alive()) {
      good = false;
      std::fprintf(stderr, "process %d: %s\n", process, problem.c_str());
    }
  }
  return good;
}

void keep_up(const std::string& folder, std::string_view id, const ClockParameters& parameters, Followers& followers) {
  while (keep_going(folder)) {
    const std::int64_t began = monotonic_ns();
    for (const int process : followers.look()) {
      // The state that counts is the process's own: it may have run another program since we looked last.
      if (!find_page(process).in_force) (void)set_clock(process, folder, id, parameters);
    }
    pause_ns(std::max(kLookEveryNs, kRestShare * (monotonic_ns() - began)));
  }
  // The folder is gone: somebody has undone the fault, perhaps while we were at work on one more process.
  if (!exists(folder)) (void)reset_all(id);
}

}  // namespace

int start_clock_fault(const std::string& folder, std::string_view id, const ClockParameters& parameters,
                      const std::vector<int>& processes) {
  // To die with a process in hand would leave it running wherever it was made to go.
  hold_signals();
  Followers followers;
  if (set_all(processes, folder, id, parameters, followers) && exists(folder) &&
      start_background(folder, [&] { keep_up(folder, id, parameters, followers); })) {
    return 0;
  }
  (void)reset_all(id);
  return 1;
}

int undo_clock_fault(const std::string& folder, std::string_view id) {
  hold_signals();
  end_background(folder);
  return reset_all(id) ? 0 : 1;
}

}  // namespace ordeal::agent
