#pragma once
// What the workloads have in common: getting their checkers from the catalogue. Thread-safety: pure.

#include <string_view>
#include <vector>

#include "harness/interfaces/workload.h"

namespace ordeal {

// The checker of that name with its options. Requires: the catalogue of checkers knows it (checked).
[[nodiscard]] ConfiguredChecker judge(std::string_view checker, CheckOptions options = {});

}  // namespace ordeal
