#pragma once
// Fault names: which faults a run is to have, from what people wrote. Thread-safety: pure functions.

#include <string>
#include <vector>

#include "base/error.h"

namespace ordeal {

// Names of faults, each once, and whether those that do not apply may be left out ("all" says so).
struct WantedFaults {
  std::vector<std::string> names;
  bool only_applicable = false;
};

// The faults that a plan needs: those that --nemesis names (words, also "all" and "none"; nullptr: it was not given)
// and those of a timeline (nemesis.timeline; empty: none). Errors: usage.
[[nodiscard]] Result<WantedFaults> wanted_faults(const std::vector<std::string>* named, const std::string& timeline);

}  // namespace ordeal
