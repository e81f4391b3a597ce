#pragma once
// The catalogue of workloads: one line for each in catalogue.cc. Thread-safety: immutable.

#include <span>
#include <string_view>

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] std::span<const WorkloadFactory> workloads();
// Errors: usage, listing the known names.
[[nodiscard]] Result<const WorkloadFactory*> find_workload(std::string_view name);

}  // namespace ordeal
