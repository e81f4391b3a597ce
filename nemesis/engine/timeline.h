#pragma once
// Timeline: a scripted schedule, the text of the option nemesis.timeline: a JSON list of entries, one for each fault.
// In a campaign file it is an array of tables:
//
//   [[nemesis.timeline]]
//   at = 5.0                      # seconds since the run began; 0 when absent
//   fault = "partition"
//   duration = 3                  # nemesis-duration when absent
//   shape = "halves"              # any other key is an option of the fault: partition.shape
//
//   [[nemesis.timeline]]
//   when = "leader-change"        # a trigger (trigger.h), from `at` on
//   after = 0.5                   # seconds from the trigger to the injection
//   fault = "kill"
//   nodes = "primaries"
//   times = 3                     # how often; 1 when absent, with `every` for as long as the run goes on
//   every = 10                    # seconds from one to the next; with `when`: at least
//
// Thread-safety: pure functions.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace ordeal {

struct TimelineEntry {
  std::string fault;
  double at_s = 0;
  double duration_s = -1;  // -1: the plan's
  double every_s = 0;
  int times = 1;     // 0: for as long as the run goes on
  std::string when;  // a trigger; empty: none
  double after_s = 0;
  std::vector<std::pair<std::string, std::string>> options;  // of the fault, by their full keys
};

// Errors: usage, naming the entry and what is wrong with it. Whether faults, options and triggers exist is not looked
// at.
[[nodiscard]] Result<std::vector<TimelineEntry>> parse_timeline(std::string_view text);

// The faults of a timeline, each once, in the order of their first entry.
[[nodiscard]] std::vector<std::string> timeline_faults(const std::vector<TimelineEntry>& timeline);

}  // namespace ordeal
