#pragma once
// conduct(): plays the runs of a campaign in their order, and says of each what it means for the whole: retries of runs
// that failed, the budget of time, when to stop (campaign_settings.h). How one run is played is the caller's affair.
//
// Thread-safety: one call at a time; everything is called back on its thread.

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
using Player = std::function<Played(const PlannedRun& run)>;

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

// Errors: those of `keep`.
[[nodiscard]] Result<CampaignOutcome> conduct(const Campaign& campaign, const Conduct& how);

}  // namespace ordeal
