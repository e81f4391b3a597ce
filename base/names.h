#pragma once
// Names of the things that a room's catalogue.cc registers (targets, workloads, faults, checkers, models): lists of
// them in a sentence, and the error of an unknown one, which says which was meant or lists those that are known.
//
// Thread-safety: pure functions.

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
