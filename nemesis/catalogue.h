#pragma once
// The catalogue of nemesis: one line for each in catalogue.cc. Thread-safety: immutable.

#include <span>
#include <string_view>

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] std::span<const FaultFactory> faults();
// Errors: usage, listing the known names.
[[nodiscard]] Result<const FaultFactory*> find_fault(std::string_view name);

}  // namespace ordeal
