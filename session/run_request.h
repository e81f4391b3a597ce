#pragma once
// RunRequest: what is asked of one run, before names are looked up and defaults filled in. Thread-safety: value types.

#include <map>
#include <string>

namespace ordeal {

// A text somebody gave, and where.
struct Given {
  std::string text;
  std::string origin;      // "--rate" or "campaign.toml:3", as plan.json keeps it
  std::string place = {};  // "campaign.toml:3:8" when it stands in a file

  // For messages.
  [[nodiscard]] const std::string& where() const { return place.empty() ? origin : place; }
};

struct RunRequest {
  std::map<std::string, Given> flags;     // by the long flag's name without dashes
  std::map<std::string, Given> settings;  // of --set, by key
};

}  // namespace ordeal
