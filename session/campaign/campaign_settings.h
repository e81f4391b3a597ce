#pragma once
// CampaignSettings: how the runs of a campaign are played, as opposed to what each of them is (PlanSetting). One table
// drives the keys of a campaign file, the flags of `ordeal run`, their help and the JSON Schema for editors.
// Thread-safety: value types; the table is immutable.

#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/value.h"

namespace ordeal {

struct CampaignSettings {
  double budget_s = 0;  // no run is started that would not end by then; 0: as long as it takes
  int retries = 0;      // of a run that failed: nodes, network, the target's start
  int jobs = 1;         // runs side by side, where they may share the machine and have nodes of their own (sharing.h)
  bool fail_fast = false;
  bool until_found = false;

  [[nodiscard]] Value to_value() const;
  // Errors: input.
  [[nodiscard]] static Result<CampaignSettings> from_value(const Value& value);
};

struct CampaignSetting {
  enum class Type { duration, integer, boolean };
  using Member = std::variant<double CampaignSettings::*, int CampaignSettings::*, bool CampaignSettings::*>;

  const char* name;  // the key of a campaign file, and the long flag without its dashes
  Type type;
  Member member;
  const char* placeholder;  // of the value in the help; empty: the flag alone says true
  const char* help;
  double min = 0;
  double max = std::numeric_limits<double>::infinity();

  // Parses `text` into `settings`. Errors: usage, saying what was found and what is allowed.
  [[nodiscard]] Result<void> set(CampaignSettings& settings, std::string_view text) const;
};

[[nodiscard]] const std::vector<CampaignSetting>& campaign_settings();
// nullptr: there is none of that name.
[[nodiscard]] const CampaignSetting* find_campaign_setting(std::string_view name);

}  // namespace ordeal
