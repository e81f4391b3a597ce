#pragma once
// From what somebody asked for to a resolved Plan: names looked up in the catalogues, defaults filled in, ranges
// checked. Thread-safety: functions without state.

#include <string>
#include <vector>

#include "harness/interfaces/plan.h"
#include "session/run_request.h"

namespace ordeal {

// Errors: usage, naming the flag, what was found and what is known or allowed.
[[nodiscard]] Result<Plan> resolve(const RunRequest& request);

// What plan.json holds, with the options declared that it is about. Errors: input.
[[nodiscard]] Result<Plan> read_plan(const Value& value);

// Every option that a plan of this target, workload and these faults can hold, with defaults.
[[nodiscard]] Result<Options> declared_options(const std::string& target, const std::string& workload,
                                               const std::vector<std::string>& nemesis);

}  // namespace ordeal
