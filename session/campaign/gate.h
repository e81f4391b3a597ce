#pragma once
// What a campaign says to a CI system: one JUnit file, a summary in Markdown, annotations. Nothing that is not green is
// green there: unknown, failed and never started runs are errors. Texts of targets and nodes are escaped; none becomes
// markup or a command. Thread-safety: pure functions.

#include <string>
#include <vector>

#include "session/campaign/conduct.h"

namespace ordeal {

// A suite for each run with a case for the run itself and one for each checker. Holds what the schema of Jenkins' xunit
// plugin (junit-10.xsd) allows.
[[nodiscard]] std::string campaign_junit(const Campaign& campaign, const CampaignOutcome& outcome);

// The sentence, what is not green with the reason, and all runs; of at most about a megabyte, which is what CI systems
// take.
[[nodiscard]] std::string campaign_markdown(const Campaign& campaign, const CampaignOutcome& outcome);

// A workflow command of GitHub for each run that is not green: "::error title=…::…".
[[nodiscard]] std::vector<std::string> campaign_annotations(const Campaign& campaign, const CampaignOutcome& outcome);

}  // namespace ordeal
