// ordeal-agent: the program that works on a node. It is part of the controller, which puts it beside the fault's undo
// script when a fault needs it; it needs nothing on the node but a Linux kernel.
//
//   ordeal-agent clock start FOLDER ID DRIFT_Q32 PERIOD_NS STEP_NS,… PID,…   from now on; see clock_watch.h
//   ordeal-agent clock undo FOLDER ID
//   ordeal-agent clock read ROUNDS PAUSE_MS PID,…     lines "PID BEFORE INSIDE AFTER PRISTINE" or "PID ! why not"
//   ordeal-agent slow start FOLDER PERCENT PERIOD_MS PID,…                             see slow.h
//   ordeal-agent slow undo FOLDER
//   ordeal-agent limit start FOLDER files|memory SPARE PID,…                           see limits.h
//   ordeal-agent limit undo FOLDER
//   ordeal-agent packets start FOLDER SEED EFFECT…    EFFECT is one word with spaces; see packet_effect.h
//   ordeal-agent packets undo FOLDER
//   ordeal-agent probe datagrams|connections PORT NONCE COUNT SIZE GAP_US LIMIT_MS FLOW=ADDRESS,… FLOW,…   link_probe.h
//   ordeal-agent probe reach PORT WAIT_MS ADDRESS,…                                    see reach_probe.h
//   ordeal-agent probe names                                                           see name_probe.h
//   ordeal-agent strike clock                           see strike.h
//   ordeal-agent strike at MONOTONIC_NS PID:STARTED,…   see strike.h
//   ordeal-agent host-clock start FOLDER DRIFT_PPM PERIOD_NS FREEZE STEP_NS,…          see host_clock.h
//   ordeal-agent host-clock undo FOLDER
//
// Exit code: 0 done · 1 not done, standard error says why · 64 wrong usage.

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "nemesis/programs/agent/clock.h"
#include "nemesis/programs/agent/clock_watch.h"
#include "nemesis/programs/agent/host_clock.h"
#include "nemesis/programs/agent/limits.h"
#include "nemesis/programs/agent/link_probe.h"
#include "nemesis/programs/agent/name_probe.h"
#include "nemesis/programs/agent/packet_fault.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/reach_probe.h"
#include "nemesis/programs/agent/slow.h"
#include "nemesis/programs/agent/strike.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

using Words = std::vector<std::string>;

int usage() {
  std::fputs("ordeal-agent: wrong arguments; see nemesis/programs/agent/main.cc\n", stderr);
  return 64;
}

std::vector<int> process_list(const std::string& text) {
  std::vector<int> out;
  for (const std::string& word : split(text, ",")) out.push_back(static_cast<int>(to_integer(word)));
  return out;
}

int clock_start(const Words& words) {
  ClockParameters parameters;
  parameters.anchor_ns = wall_clock_ns();
  parameters.drift_q32 = to_integer(words[2]);
  parameters.period_ns = to_integer(words[3]);
  const auto steps = split(words[4], ",");
  if (steps.empty() || steps.size() > kMaxSteps || parameters.period_ns < 0) return usage();
  for (std::size_t i = 0; i < steps.size(); ++i) parameters.steps_ns[i] = to_integer(steps[i]);
  parameters.count = static_cast<std::int64_t>(steps.size());
  return start_clock_fault(words[0], words[1], parameters, process_list(words[5]));
}

int clock_undo(const Words& words) { return undo_clock_fault(words[0], words[1]); }

int clock_read(const Words& words) {
  const auto processes = process_list(words[2]);
  const std::int64_t rounds = to_integer(words[0]);
  const std::int64_t pause_ms = to_integer(words[1]);
  const pid_t listener = ::getppid();
  for (std::int64_t round = 0; round < rounds && ::getppid() == listener; ++round) {
    if (round > 0) pause_ns(pause_ms * 1'000'000);
    for (const int process : processes) {
      ClockReading reading;
      if (const std::string problem = read_clock(process, reading); !problem.empty()) {
        std::printf("%d ! %s\n", process, problem.c_str());
        continue;
      }
      std::printf("%d %lld %lld %lld %d\n", process, static_cast<long long>(reading.before_ns),
                  static_cast<long long>(reading.inside_ns), static_cast<long long>(reading.after_ns),
                  reading.pristine ? 1 : 0);
    }
  }
  return 0;
}

int slow_start(const Words& words) {
  const std::int64_t percent = to_integer(words[1]);
  const std::int64_t period_ms = to_integer(words[2]);
  if (percent < 1 || percent > 99 || period_ms < 1 || period_ms > 10'000) return usage();
  return start_slow_fault(words[0], static_cast<int>(percent), static_cast<int>(period_ms), process_list(words[3]));
}

int limit_start(const Words& words) {
  if (words[1] != "files" && words[1] != "memory") return usage();
  return start_limit_fault(words[0], words[1], static_cast<std::uint64_t>(to_integer(words[2])),
                           process_list(words[3]));
}

// Runs what borrows the registers of a target's threads (tracee.h) in a session of its own. Whoever started this
// program may kill it at any moment, with all of its session: the thread would go on with registers that are not its
// own, and the target would end by that. What is begun is finished, which takes seconds at most, since every wait has
// an end.
template <int (*run)(const Words&)>
int sheltered(const Words& words) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) return run(words);
  if (child == 0) {
    ::setsid();
    const int code = run(words);
    std::fflush(stdout);
    std::fflush(stderr);
    ::_exit(code);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

ProbePlan probe_plan(const Words& words) {
  ProbePlan plan;
  plan.port = static_cast<int>(to_integer(words[0]));
  plan.nonce = static_cast<std::uint64_t>(to_integer(words[1]));
  plan.count = static_cast<int>(to_integer(words[2]));
  plan.size = static_cast<int>(to_integer(words[3]));
  plan.gap_us = static_cast<int>(to_integer(words[4]));
  plan.limit_ms = static_cast<int>(to_integer(words[5]));
  plan.out = split(words[6], ",");
  plan.in = split(words[7], ",");
  return plan;
}

int reach(const Words& words) {
  const std::int64_t port = to_integer(words[0]);
  const std::int64_t wait_ms = to_integer(words[1]);
  if (port < 1 || port > 65535 || wait_ms < 1 || wait_ms > 60'000) return usage();
  return probe_reach(static_cast<int>(port), static_cast<int>(wait_ms), split(words[2], ","));
}

int host_clock_start(const Words& words) {
  HostClockParameters parameters;
  parameters.drift_ppm = to_integer(words[1]);
  parameters.period_ns = to_integer(words[2]);
  parameters.frozen = words[3] == "1";
  for (const std::string& step : split(words[4], ",")) parameters.steps_ns.push_back(to_integer(step));
  if (parameters.steps_ns.empty() || parameters.period_ns < 0) return usage();
  return start_host_clock(words[0], parameters);
}

int dispatch(const Words& words) {
  struct Verb {
    const char* family;
    const char* name;
    std::size_t words;
    int (*run)(const Words&);
  };
  static constexpr Verb kVerbs[] = {
      {"clock", "start", 6, sheltered<clock_start>},
      {"clock", "undo", 2, sheltered<clock_undo>},
      {"clock", "read", 3, sheltered<clock_read>},
      {"slow", "start", 4, slow_start},
      {"slow", "undo", 1, [](const Words& rest) { return undo_slow_fault(rest[0]); }},
      {"limit", "start", 4, limit_start},
      {"limit", "undo", 1, [](const Words& rest) { return undo_limit_fault(rest[0]); }},
      {"packets", "start", 3,
       [](const Words& rest) { return start_packet_fault(rest[0], rest[1], split(rest[2], " ")); }},
      {"packets", "undo", 1, [](const Words& rest) { return undo_packet_fault(rest[0]); }},
      {"probe", "datagrams", 8, [](const Words& rest) { return probe_datagrams(probe_plan(rest)); }},
      {"probe", "connections", 8, [](const Words& rest) { return probe_connections(probe_plan(rest)); }},
      {"probe", "reach", 3, reach},
      {"probe", "names", 0, [](const Words&) { return probe_names(); }},
      {"strike", "clock", 0, [](const Words&) { return print_clock(); }},
      {"strike", "at", 2, [](const Words& rest) { return strike_at(to_integer(rest[0]), split(rest[1], ",")); }},
      {"host-clock", "start", 5, host_clock_start},
      {"host-clock", "undo", 1, [](const Words& rest) { return undo_host_clock(rest[0]); }},
  };
  for (const Verb& verb : kVerbs) {
    if (words.size() != verb.words + 2 || words[0] != verb.family || words[1] != verb.name) continue;
    return verb.run(Words(words.begin() + 2, words.end()));
  }
  return usage();
}

}  // namespace
}  // namespace ordeal::agent

int main(int argc, char** argv) { return ordeal::agent::dispatch({argv + 1, argv + argc}); }
