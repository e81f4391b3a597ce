#include "session/turns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ordeal {
namespace {

constexpr double kOverhead_s = 1;  // to inject, confirm and heal
constexpr double kFirst = 0.4;     // of an interval passes before the first fault (schedule.h)

std::string text_of(const Plan& plan, const char* key) { return plan.options.has(key) ? plan.options.string(key) : ""; }

}  // namespace

Turns estimate_turns(const Plan& plan, std::size_t kinds, std::size_t nodes) {
  Turns out;
  double first_s = kFirst * plan.nemesis_interval_s;
  double turn_s = plan.nemesis_duration_s + kOverhead_s;
  if (text_of(plan, "nemesis.schedule") == "periodic") {
    first_s = plan.nemesis_interval_s;
    turn_s = plan.nemesis_interval_s + plan.nemesis_duration_s;
  } else {
    const bool keep = text_of(plan, "nemesis.quorum") != "any";
    out.at_once = keep ? std::max<std::size_t>(1, (nodes - std::min<std::size_t>(nodes, 1)) / 2) : kinds;
  }
  const auto rounds = [&](double time_s) { return std::max(0.0, std::floor((time_s - first_s) / turn_s)); };
  out.fit = std::min(kinds, out.at_once * static_cast<std::size_t>(rounds(plan.time_limit_s)));
  const std::size_t needed = out.at_once == 0 ? 0 : (kinds + out.at_once - 1) / out.at_once;
  out.all_s = first_s + turn_s * static_cast<double>(needed);
  return out;
}

std::string turns_remark(const Plan& plan, std::size_t kinds, std::size_t nodes) {
  if (kinds == 0 || text_of(plan, "nemesis.timeline") != "") return "";
  const Turns turns = estimate_turns(plan, kinds, nodes);
  const bool all =
      plan.options.has("nemesis.inapplicable") && plan.options.origin("nemesis.inapplicable") == "--nemesis all";
  if (!all && turns.fit == kinds) return "";
  std::string out = fmt::format("{} of {} kinds of faults fit into {:g} s, about {} at a time; all would take {:.0f} s",
                                turns.fit, kinds, plan.time_limit_s, turns.at_once, std::ceil(turns.all_s));
  if (!all) return out + ". A run in which one never takes effect stays without a verdict";
  return out + (turns.fit == kinds ? "" : ". Those whose turn does not come are named in the results");
}

}  // namespace ordeal
