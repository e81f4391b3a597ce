#pragma once
// Campaign: a matrix of resolved runs, each with a name that stays the same when the campaign is played again, and how
// they are played. Thread-safety: value types and pure functions.

#include <cstddef>
#include <string>
#include <vector>

#include "harness/interfaces/plan.h"
#include "session/campaign/campaign_file.h"

namespace ordeal {

struct PlannedRun {
  std::string name;  // "etcd register kill,pause seed=3 rate=200": what distinguishes it from the others; unique
  Plan plan;
  Expectation expect;
};

// The part of a campaign that one machine plays: every `of`-th run, from the `index`-th on, counted from 1.
struct Shard {
  std::size_t index = 1;
  std::size_t of = 1;
  [[nodiscard]] bool has(std::size_t run) const { return run % of == index - 1; }
};

struct Campaign {
  std::string name;
  CampaignSettings settings;
  std::vector<PlannedRun> runs;
  bool seeded = true;  // every run's seed was said, not drawn
  Shard shard = {};
};

// Names are looked up, defaults filled in, seeds drawn. In a matrix of several targets, workloads or nemeses an option
// counts for the runs that know it, and those that become equal because they do not are one. Errors: usage, with the
// place of what is wrong; those of runs_of().
[[nodiscard]] Result<Campaign> plan_campaign(const CampaignFile& file);

}  // namespace ordeal
