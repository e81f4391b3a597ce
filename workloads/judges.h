#pragma once
// What the workloads have in common: getting their checkers from the catalogue. Thread-safety: pure.

#include <string_view>
#include <vector>

#include "harness/interfaces/workload.h"

namespace ordeal {

// The checker of that name with its options. Requires: the catalogue of checkers knows it (checked).
[[nodiscard]] ConfiguredChecker judge(std::string_view checker, CheckOptions options = {});
// … with the options of its workload.
[[nodiscard]] ConfiguredChecker judge(std::string_view checker, const Options& settings);

// Adds the options that the checker of that name declares, so that their defaults stand beside the checker alone.
// Requires: it is one of checkers/workload (checked).
void offer_checker_options(WorkloadFactory& factory, std::string_view checker);

}  // namespace ordeal
