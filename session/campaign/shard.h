#pragma once
// Shards: a campaign spread over machines, each of which plays every n-th run, and put together again. Whatever starts
// them (a Slurm array, an indexed Kubernetes Job, a CI's matrix) needs to know nothing but their numbers:
//
//   machine i:   ordeal run c.toml --shard i/n --store out/shard-i
//   at the end:  ordeal merge out/shard-*
//
// Every shard's directory holds the whole plan, so that a shard that never came back is told, run by run. The merged
// campaign equals that of one machine but for times and places; fail-fast, until-found and the budget are each shard's
// own. Thread-safety: pure functions; merged() reads.

#include <string>
#include <string_view>
#include <vector>

#include "session/campaign/campaign_store.h"
#include "session/campaign/conduct.h"

namespace ordeal {

// "2/3". Errors: usage.
[[nodiscard]] Result<Shard> parse_shard(std::string_view text);

// The runs of the campaign's shard alone, with how they ended.
struct ShardView {
  Campaign campaign;
  CampaignOutcome outcome;
};
[[nodiscard]] ShardView of_shard(const Campaign& campaign, const CampaignOutcome& outcome);

struct Merged {
  Campaign campaign;
  std::vector<RunRecord> records;
  CampaignOutcome outcome;
};

// `paths`: directories of campaigns, or stores whose newest campaign is meant. Errors: usage, when they are not shards
// of one campaign, or one shard is there twice; input.
[[nodiscard]] Result<Merged> merged(const std::vector<std::string>& paths);

}  // namespace ordeal
