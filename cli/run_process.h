#pragma once
// A run in a process of its own, the same program: its signals, its crash, the network it moves into and the memory it
// loses are its own, so that several runs can be played side by side (jobs of a campaign).
//
//   controller ── standard input: what to play ──> ordeal play-run
//              <─ standard error, line by line, as it happens
//              <─ standard output, when it has ended: what is printed of the verdict
//              <─ descriptor 3: {"code":…,"results":…}
//
// Each is a process group of its own, so that Ctrl-C on a terminal reaches the controller alone, which passes wishes on
// (SIGTERM). A run whose controller dies, in whatever way, gets SIGTERM from the kernel: it ends as an interrupted run
// does, undoes its faults and gives its nodes back, and does not wait for the checkers.
//
// Thread-safety: play_apart() from several threads at once, each of which must live until it returns.

#include <functional>
#include <string>
#include <string_view>

#include "cli/play_campaign.h"

namespace ordeal::cli {

// The subcommand that no help lists.
inline constexpr const char* kPlayRun = "play-run";

struct Apart {
  std::string campaign;  // its directory (hold_campaign)
  bool quiet = false;    // nothing is printed of the verdict
  RunStops stops;
  std::stop_token unneeded;                         // ends the run as the first wish does
  std::function<void(std::string_view)> line = {};  // of its standard error
};

struct PlayedApart {
  PlayedHere played;    // an error_document() when the process did not end as it should
  std::string printed;  // on standard output
};

// Returns when the process has ended.
[[nodiscard]] PlayedApart play_apart(const Plan& plan, const Apart& how);

// What `ordeal play-run` does, in that process. Does not return.
[[noreturn]] void play_run();

}  // namespace ordeal::cli
