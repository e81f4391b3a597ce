#pragma once
// A run as a campaign file of its own: what was asked, read back from a resolved plan, and as TOML. Thread-safety: pure
// functions.

#include <string>

#include "harness/interfaces/plan.h"
#include "session/run_request.h"

namespace ordeal {

// What one would have to ask to get this plan: resolve() makes the same of it, but for name and store, which it leaves
// out, and for where each value came from.
[[nodiscard]] RunRequest request_of(const Plan& plan);

// The request as a campaign file, which parse_campaign() reads as exactly that; each line of `comment` stands before
// it behind a '#'.
[[nodiscard]] std::string campaign_text(const RunRequest& request, const std::string& comment);

}  // namespace ordeal
