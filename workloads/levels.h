#pragma once
// The levels at which workloads can be judged. A workload names the models that its operations are of; which levels
// these have, who judges each and what it claims is asked of their catalogue (checkers/model_catalogue.h).
// Thread-safety: pure.

#include <string>
#include <utility>
#include <vector>

#include "harness/interfaces/workload.h"

namespace ordeal {

struct LevelOption {
  std::string key;                  // "set.consistency"
  std::vector<std::string> models;  // of the catalogue; the first that has a level judges it
  std::string default_level;
  // What levels claim that the catalogue has no words for: those of the checkers of workloads.
  std::vector<std::pair<std::string, std::string>> meanings = {};
};

// Of grow-only sets.
inline const std::pair<std::string, std::string> kCausalMeaning = {
    "causal-cc",
    "reads may be late, but with each element they show all that who added it had added or read before, and with each "
    "read all that its process had added or read before"};

// Adds the option, whose choices are the levels of the models.
void offer_levels(WorkloadFactory& factory, const LevelOption& option);
// The checker of the first of the models that has the level. Requires: one of them has it (checked).
[[nodiscard]] ConfiguredChecker judge_at(const std::vector<std::string>& models, const std::string& level,
                                         const Options& settings);

// The options of checkers that give replicas the time "<checker>.settle", which is what the workload waits before its
// last reads: "<workload>.settle".
[[nodiscard]] Options settling(const std::vector<std::string>& checkers, const Options& options,
                               const std::string& workload);

// The levels that the workload can be judged at, the default first; never empty. One whose name ends in -T takes any
// duration in its place: "bounded-staleness-500ms".
[[nodiscard]] std::vector<std::string> levels_of(const WorkloadFactory& workload);
// Sets the option that says at which level the workload is judged. Errors: usage, naming the levels that it has.
[[nodiscard]] Result<void> set_level(const WorkloadFactory& workload, const std::string& level,
                                     const std::string& origin, Options& options);
// What a `valid` at that level claims, in one sentence. Requires: one of levels_of().
[[nodiscard]] std::string promise_at(const WorkloadFactory& workload, const std::string& level);

}  // namespace ordeal
