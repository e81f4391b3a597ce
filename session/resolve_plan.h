#pragma once
// From what somebody asked for to a resolved Plan: names looked up in the catalogues, defaults filled in, ranges
// checked. Thread-safety: functions without state.

#include <string>
#include <vector>

#include "cli/commands.h"
#include "harness/interfaces/plan.h"
#include "session/campaign.h"

namespace ordeal::cli {

// The runs that a command line asks for: one, or the matrix of its campaign file. Flags win over the file.
// Errors: usage.
[[nodiscard]] Result<std::vector<RunRequest>> requests(const RunCommand& command);

// Workers of one run.
inline constexpr int kMaxConcurrency = 100'000;

// Errors: usage, naming the flag, what was found and what is known or allowed.
[[nodiscard]] Result<Plan> resolve(const RunRequest& request);

// Every option that a plan of this target, workload and these faults can hold, with defaults.
[[nodiscard]] Result<Options> declared_options(const std::string& target, const std::string& workload,
                                               const std::vector<std::string>& nemesis);

}  // namespace ordeal::cli
