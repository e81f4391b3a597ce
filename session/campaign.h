#pragma once
// Campaign: a file that asks for one run or a matrix of runs.
//
//   target = "etcd"
//   workload = ["register", "set"]     # a list multiplies the runs
//   nemesis = ["partition,kill", ""]   # each text is one choice of faults
//   seed = [1, 2, 3]
//   time-limit = "60s"
//   [set]
//   "etcd.serializable-reads" = false
//
// The nemesis may be a table instead: `faults` is then what is said above, everything else an option (nemesis.quiet),
// and its timeline an array of tables (nemesis/engine/timeline.h):
//
//   [nemesis]
//   schedule = ["random", "periodic"]
//   faults = "kill,pause"
//   # or
//   [[nemesis.timeline]]
//   at = 5.0
//   fault = "partition"
//   duration = 3
//
// The keys are the long flags of `ordeal run` without their dashes. Thread-safety: value types and one function.

#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace ordeal {

// A text somebody gave, and where: "--rate" or "campaign.toml:3".
struct Given {
  std::string text;
  std::string origin;
};

// What is asked of one run, before defaults are filled in: by the long flag's name without dashes.
struct RunRequest {
  std::map<std::string, Given> flags;
  std::map<std::string, Given> settings;  // of --set, by key
};

// The names of flags that a campaign file may hold.
[[nodiscard]] const std::vector<std::string>& campaign_keys();

// Reads a campaign file; the runs of its matrix in the order of the file's keys, the last one varying fastest.
// Errors: usage, with file:line:column, for unknown keys and values of the wrong type; not_found.
[[nodiscard]] Result<std::vector<RunRequest>> read_campaign(const std::string& path);
// The same from text; `name` stands for the file in messages and origins.
[[nodiscard]] Result<std::vector<RunRequest>> parse_campaign(const std::string& text, const std::string& name);

}  // namespace ordeal
