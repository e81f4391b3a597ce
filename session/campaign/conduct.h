#pragma once
// conduct(): plays the runs of a campaign in their order, and says of each what it means for the whole: retries of runs
// that failed, the budget of time, when to stop (campaign_settings.h). How one run is played is the caller's affair.
//
// Side by side. With `jobs` above 1 so many runs are in progress at once. They are started in their order; one that
// cannot share the machine with those in progress (sharing.h) is passed over until it can. What is decided stays what
// it is one by one: runs are before and after each other as the campaign numbers them, whenever they end. A run that
// stops the campaign (fail-fast, until-found) lets those before it be played to their end, and ends those after it.
// One that had ended by then counts, whatever its number: a verdict is never thrown away.
//
// Thread-safety: one call at a time; everything is called back on its thread, but `play` with jobs above 1 on others.

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "session/campaign/campaign.h"
#include "session/campaign/run_record.h"

namespace ordeal {

// What a run left: its results.json, or what `--json` prints when there is none.
struct Played {
  Value results;
  bool refused = false;  // wrong usage
};
// `unneeded` is requested when what comes of the run is not asked for any more; it then ends soon. With one job never.
using Player = std::function<Played(const PlannedRun& run, const std::stop_token& unneeded)>;

// How a campaign says what happens.
class CampaignObserver {
 public:
  virtual ~CampaignObserver() = default;
  virtual void begins(const PlannedRun& run, std::size_t index, int attempt) = 0;
  virtual void ended(const PlannedRun& run, const RunRecord& record, Standing standing) = 0;
};

struct CampaignOutcome {
  struct Run {
    Standing standing = Standing::not_started;
    RunRecord record;  // when it was played
    std::string why;   // not started, or not needed
  };
  std::vector<Run> runs;  // one for each of the campaign
};

struct Conduct {
  Player play;
  // Called with every record before anything follows from it. Errors end the campaign.
  std::function<Result<void>(const RunRecord&)> keep;
  CampaignObserver* observer = nullptr;
  std::stop_token stop;           // no further run is started; the player looks at it, too
  std::vector<RunRecord> before;  // of an earlier sitting; those that were interrupted are played again
};

// Errors: those of `keep`; the runs in progress are ended before it returns.
[[nodiscard]] Result<CampaignOutcome> conduct(const Campaign& campaign, const Conduct& how);

}  // namespace ordeal
