#include "session/campaign/campaign_text.h"

#include <fmt/format.h>

#include "base/text.h"

namespace ordeal {
namespace {

// A basic string of TOML. Bytes that are not UTF-8 cannot stand in a TOML file; no option takes them.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

RunRequest request_of(const Plan& plan) {
  RunRequest out;
  const std::string origin = "plan.json";
  for (const PlanSetting& setting : plan_settings()) {
    if (setting.member == PlanSetting::Member(&Plan::name) || setting.member == PlanSetting::Member(&Plan::store)) {
      continue;
    }
    const std::string text = setting.text(plan);
    using Repeat = PlanSetting::Repeat;
    if (setting.repeat != Repeat::always && text == setting.text(Plan{})) continue;
    out.flags[setting.name] = {text, origin};
  }
  for (const OptionSpec& spec : plan.options.specs()) {
    if (plan.options.origin(spec.key) == "default") continue;
    const Value& value = plan.options.value(spec.key);
    out.settings[spec.key] = {value.is_string() ? value.string() : value.to_json(), origin};
  }
  return out;
}

std::string campaign_text(const RunRequest& request, const std::string& comment) {
  std::string out;
  for (const std::string& line : lines(comment)) out += "# " + visible_in_line(line) + "\n";
  for (const PlanSetting& setting : plan_settings()) {
    const auto given = request.flags.find(setting.name);
    if (given != request.flags.end()) out += fmt::format("{} = {}\n", setting.name, quoted(given->second.text));
  }
  if (request.settings.empty()) return out;
  out += "\n[set]\n";
  for (const auto& [key, given] : request.settings) out += fmt::format("{} = {}\n", quoted(key), quoted(given.text));
  return out;
}

}  // namespace ordeal
