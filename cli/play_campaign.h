#pragma once
// A campaign on a terminal: its runs one after the other, or side by side in processes of their own (run_process.h),
// each with its heading and its verdict, and the closing table. Thread-safety: as console.h; called on the main thread.

#include <functional>
#include <string>

#include "cli/exit_code.h"
#include "session/campaign/campaign_store.h"
#include "session/campaign/conduct.h"
#include "session/run_session.h"

namespace ordeal::cli {

[[nodiscard]] ExitCode exit_code(Standing standing);

struct PlayedHere {
  Value results;  // results.json, or error_document()
  ExitCode code = kRunFailed;
};
// Plays one run in this process, and prints its verdict unless `quiet`.
[[nodiscard]] PlayedHere play_here(const Plan& plan, bool quiet, const RunStops& stops);

// What else there is to say of an outcome: lines to print, and members of the document.
using More = std::function<std::string(const CampaignOutcome& outcome, Value& document)>;

// Plays the runs that are not done yet and says what all mean together. Returns the exit code; the caller leaves.
[[nodiscard]] int play_campaign(CampaignStore& store, bool json, const More& more = {});

// What is written into the campaign's directory, printed and told to a CI system when nothing more is played. Returns
// the exit code.
[[nodiscard]] int close_campaign(const CampaignStore& store, const Campaign& campaign, const CampaignOutcome& outcome,
                                 bool json, const More& more = {});

// What would be played: every run, its faults, what is done with privilege, and how long it takes. Plays nothing.
[[nodiscard]] std::string told_plan(const Campaign& campaign);

}  // namespace ordeal::cli
