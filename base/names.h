#pragma once
// Catalogue: the named things of one room (targets, workloads, faults, checkers), registered explicitly in that
// room's catalogue.cc. An unknown name is an error that lists the known ones.
//
// Thread-safety: built once, then read.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

// "a, b and c"; for messages.
[[nodiscard]] std::string joined(const std::vector<std::string>& names);
// The known name that is nearest to `wanted` by edit distance when it is near enough to be a slip, else empty.
[[nodiscard]] std::string nearest(std::string_view wanted, const std::vector<std::string>& names);
// Error of code usage: `unknown <what> "<wanted>"; did you mean "…"? Known <what>s: …`.
[[nodiscard]] Error unknown_name(std::string_view what, std::string_view wanted, const std::vector<std::string>& known);

}  // namespace ordeal
