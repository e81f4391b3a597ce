#pragma once
// The catalogue of targets: one line for each in catalogue.cc. Thread-safety: immutable.

#include <span>
#include <string_view>

#include "harness/interfaces/target.h"

namespace ordeal {

[[nodiscard]] std::span<const TargetFactory> targets();
// Errors: usage, listing the known names.
[[nodiscard]] Result<const TargetFactory*> find_target(std::string_view name);

}  // namespace ordeal
