#pragma once
// Process state: what /proc of a node says about processes, and scripts that signal exactly the processes meant.
//
// A process is named by its id and the time at which it started, since ids are used again: a script that was written
// before a process died must never hit its successor. Thread-safety: pure functions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

struct OsProcess {
  int pid = 0;
  std::uint64_t started = 0;  // clock ticks since boot
  friend bool operator==(const OsProcess&, const OsProcess&) = default;
};

struct ProcessState {
  OsProcess id;
  char state = '?';  // R, S, D, T, Z, … as proc(5) has it
  [[nodiscard]] bool gone() const { return state == 'Z' || state == 'X' || state == 'x'; }
  [[nodiscard]] bool stopped() const { return state == 'T'; }  // by a signal
  [[nodiscard]] bool traced() const { return state == 't'; }   // held by a tracer, perhaps the agent, for a moment
};

// Prints the /proc line of each process that exists.
[[nodiscard]] std::string states_script(const std::vector<int>& pids);
// Lines that are none are skipped: a process may end while its line is read.
[[nodiscard]] std::vector<ProcessState> parse_states(std::string_view output);

// Sends a signal ("TERM") to those of `processes` that still are who they were.
[[nodiscard]] std::string signal_script(const std::vector<OsProcess>& processes, std::string_view signal);
// Sends SIGSTOP to those of `processes` that still are who they were.
[[nodiscard]] std::string stop_script(const std::vector<OsProcess>& processes);
// The body of an undo script: sends SIGCONT to those that still are who they were and are stopped.
[[nodiscard]] std::string continue_script(const std::vector<OsProcess>& processes);

}  // namespace ordeal
