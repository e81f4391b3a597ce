#pragma once
// CampaignFile: a file that asks for a matrix of runs, and says how they are played (doc/campaigns.md).
//
//   target = "etcd"
//   workload = ["register", "set"]     # a list multiplies the runs
//   nemesis = ["partition,kill", ""]   # each text is one choice of faults
//   seed = "1..50"                     # or [1, 2, "10..20"]
//   time-limit = "60s"
//   budget = "2h"                      # campaign_settings.h
//   exclude = [{ workload = "set", nemesis = "" }]
//   expect = "invalid: stale-read"     # or tables: [[expect]] verdict = "…" and conditions as in exclude
//   [set]
//   "etcd.serializable-reads" = [false, true]
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
// The keys are the long flags of `ordeal run` without their dashes. Thread-safety: value types and pure functions.

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "session/campaign/campaign_settings.h"
#include "session/campaign/expectation.h"
#include "session/run_request.h"

namespace ordeal {

// One key with the values that it takes in turn.
struct Axis {
  std::string key;
  bool setting = false;  // an option, else a flag
  std::vector<Given> choices;
};

// Picks runs of the matrix: every key has one of its values. A run that says nothing of a key has the empty text.
struct Selection {
  std::vector<Axis> conditions;
  [[nodiscard]] bool picks(const RunRequest& run) const;
};

struct ExpectationRule {
  Selection of;
  Expectation expect;
};

struct CampaignFile {
  std::string name;                     // the file's, without folder and ending
  std::vector<Axis> axes;               // in the order of the file
  std::vector<Selection> exclude;       // a run that one of them picks is left out
  std::vector<ExpectationRule> expect;  // the first that picks a run counts for it
  CampaignSettings settings;
  bool more_than_runs = false;  // it says a key of its own: exclude, expect, or one of the settings

  // Puts one value in the place of all that the file says; `name` is the long flag's without dashes, or an option's.
  // Errors: usage, for --seed against several seeds, of which it would make as many equal runs.
  [[nodiscard]] Result<void> override_flag(const std::string& name, const std::string& text);
  void override_setting(const std::string& key, const std::string& text);
};

// One run of the matrix, and what is expected of it.
struct RequestedRun {
  RunRequest request;
  Expectation expect;
};

// What a campaign file may hold beside the flags of a run, `set` and the settings of a campaign.
inline constexpr const char* kCampaignRules[] = {"exclude", "expect"};
// The names of all keys of a campaign file.
[[nodiscard]] const std::vector<std::string>& campaign_keys();

// Reads a campaign file. Errors: usage, with file:line:column and what was probably meant, for unknown keys and values
// of the wrong type; not_found.
[[nodiscard]] Result<CampaignFile> read_campaign(const std::string& path);
// The same from text; `name` stands for the file in messages and origins.
[[nodiscard]] Result<CampaignFile> parse_campaign(const std::string& text, const std::string& name);

// The runs of the matrix in the order of the file's keys, the last one varying fastest, without those excluded.
// Errors: usage: too many, none.
[[nodiscard]] Result<std::vector<RequestedRun>> runs_of(const CampaignFile& file);

}  // namespace ordeal
