#pragma once
// Whether the calls on one element of a set, which is added once at most and removed once at most, can be explained.
// Thread-safety: a pure function.

#include <optional>
#include <span>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

// `element`: the calls on one element, all of them add, remove or contains; it is absent at first. Nothing when it is
// added or removed more than once. O(calls).
[[nodiscard]] std::optional<bool> presence_fits(const std::vector<Call>& calls, std::span<const CallIndex> element);

}  // namespace ordeal::lin
