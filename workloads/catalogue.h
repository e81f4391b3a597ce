#pragma once
// The catalogue of workloads: one line for each in catalogue.cc. Thread-safety: immutable.

#include <span>
#include <string>
#include <string_view>

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] std::span<const WorkloadFactory> workloads();
// Errors: usage, listing the known names.
[[nodiscard]] Result<const WorkloadFactory*> find_workload(std::string_view name);

// What a `valid` of the workload claims with these options: its promise, or, when an option that says what is claimed
// was set to another value than the default, that option with its help.
[[nodiscard]] std::string promise_of(const WorkloadFactory& workload, const Options& options);

}  // namespace ordeal
