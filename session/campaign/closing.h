#pragma once
// The closing of a campaign: what all its runs mean together, as a document and as a table. Thread-safety: pure
// functions.

#include <string>

#include "session/campaign/conduct.h"

namespace ordeal {

// What decides the exit code: the gravest of the runs. An unexpected anomaly before wrong usage, a failed run, what is
// not known (no verdict, not started, a known finding that is gone), and what is as it should be.
[[nodiscard]] Standing gravest(const CampaignOutcome& outcome);

// One sentence: "12 runs: 10 valid, 1 expected, 1 vanished".
[[nodiscard]] std::string closing_sentence(const CampaignOutcome& outcome);

// What a run is to be told with beyond its standing: the first anomaly, the reason, the failure; empty: nothing.
[[nodiscard]] std::string told(const PlannedRun& run, const CampaignOutcome::Run& ended);

// The document of a campaign (doc/formats.md). What differs when the same is played again is under "when".
[[nodiscard]] Value closing_value(const Campaign& campaign, const CampaignOutcome& outcome);

// A line for each run with its standing, anomalies, confirmed faults and directory, under a heading.
[[nodiscard]] std::string closing_table(const Campaign& campaign, const CampaignOutcome& outcome);

}  // namespace ordeal
