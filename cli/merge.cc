// `ordeal merge`: the results of shards as one campaign.

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/play_campaign.h"
#include "session/campaign/shard.h"

namespace ordeal::cli {

int merge(const MergeCommand& command) {
  auto together = merged(command.directories);
  if (!together) return refuse(together.error(), command.json);
  auto store = CampaignStore::create(together->campaign, command.store);
  if (!store) return refuse(store.error(), command.json);
  for (const RunRecord& record : together->records) {
    if (auto kept = store->keep(record); !kept) return refuse(kept.error(), command.json);
  }
  return delivered(close_campaign(*store, store->campaign(), together->outcome, command.json));
}

}  // namespace ordeal::cli
