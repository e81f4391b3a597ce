#include "session/campaign/campaign_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/options.h"

namespace ordeal {
namespace {

// Each writes the member from what stands in a file or behind a flag.
struct Parse {
  const CampaignSetting& setting;
  CampaignSettings& settings;
  std::string_view text;

  Result<void> operator()(double CampaignSettings::*member) const {
    const auto parsed = parse_duration(text);
    if (!parsed) return fail(parsed.error());
    if (*parsed < setting.min || *parsed > setting.max) {
      return fail(ErrorCode::usage, fmt::format("{} is out of range; it must be at least {} and at most {} seconds",
                                                text, setting.min, setting.max));
    }
    settings.*member = *parsed;
    return {};
  }
  Result<void> operator()(int CampaignSettings::*member) const {
    int value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || stop != text.data() + text.size() || value < setting.min || value > setting.max) {
      return fail(ErrorCode::usage, fmt::format("a whole number from {:.0f} to {:.0f} was expected, found \"{}\"",
                                                setting.min, setting.max, text));
    }
    settings.*member = value;
    return {};
  }
  Result<void> operator()(bool CampaignSettings::*member) const {
    if (text != "true" && text != "false") {
      return fail(ErrorCode::usage, fmt::format("true or false was expected, found \"{}\"", text));
    }
    settings.*member = text == "true";
    return {};
  }
};

}  // namespace

const std::vector<CampaignSetting>& campaign_settings() {
  using Type = CampaignSetting::Type;
  static const std::vector<CampaignSetting> table = {
      {"budget", Type::duration, &CampaignSettings::budget_s, "TIME",
       "no run is started whose main phase would not end within that time; those left out are unknown", 1, 1e8},
      {"retries", Type::integer, &CampaignSettings::retries, "N",
       "how often a run that failed (exit code 3: nodes, network, start) is played again", 0, 100},
      {"jobs", Type::integer, &CampaignSettings::jobs, "N",
       "runs side by side, each in a process and with nodes of its own; those that cannot share wait", 1, 64},
      {"fail-fast", Type::boolean, &CampaignSettings::fail_fast, "",
       "an unexpected anomaly ends its run as soon as it is seen, and no further run is started after one or a failed "
       "run"},
      {"until-found", Type::boolean, &CampaignSettings::until_found, "",
       "play until the first anomaly, expected or not; the runs after it are not needed"},
  };
  return table;
}

const CampaignSetting* find_campaign_setting(std::string_view name) {
  const auto& table = campaign_settings();
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& one) { return one.name == name; });
  return found == table.end() ? nullptr : &*found;
}

Result<void> CampaignSetting::set(CampaignSettings& settings, std::string_view text) const {
  return std::visit([&](auto of) { return Parse{*this, settings, text}(of); }, member);
}

Value CampaignSettings::to_value() const {
  Value out = Value::map();
  for (const CampaignSetting& setting : campaign_settings()) {
    out.set(setting.name, std::visit([&](auto of) { return Value(this->*of); }, setting.member));
  }
  return out;
}

Result<CampaignSettings> CampaignSettings::from_value(const Value& value) {
  CampaignSettings out;
  for (const CampaignSetting& setting : campaign_settings()) {
    const Value* found = value.find(setting.name);
    if (found == nullptr) continue;  // of a version that had none
    const std::string text = found->is_string() ? found->string() : found->to_json();
    // 0 stands for "none" where nothing smaller than the minimum may be said.
    if (setting.type == CampaignSetting::Type::duration && found->is_real() && found->real() == 0) continue;
    if (auto set = setting.set(out, text); !set)
      return fail(ErrorCode::input, set.error().during(setting.name).message);
  }
  return out;
}

}  // namespace ordeal
