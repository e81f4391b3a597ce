#pragma once
// The bugs of the memory target, and how often they strike. What each does to which data is told where that lives.
// Thread-safety: immutable.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace ordeal::memory {

enum class Bug { none, stale_read, lost_write, lost_update, duplicate, write_skew, reorder, forged_head, fork };
// Requires: one of the choices of the option memory.bug.
[[nodiscard]] Bug bug_named(std::string_view name);

// The bugs that strike data of that type, by the names of the option memory.bug; store.h, services.h and log_broker.h
// say how. Empty for a type that the store does not know.
[[nodiscard]] const std::vector<std::string>& bugs_of(std::string_view data_type);
// Errors: usage, when the bug, by its name, strikes nothing on that data type of a workload.
[[nodiscard]] Result<void> check_bug(const std::string& bug, const std::string& data_type);

struct Faultiness {
  Bug bug = Bug::none;
  double probability = 0;
  // Whether this bug strikes now.
  [[nodiscard]] bool strikes(Bug which, Rng& rng) const { return bug == which && rng.chance(probability); }
};

}  // namespace ordeal::memory
