#include "session/turns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ordeal {
namespace {

constexpr double kOverhead_s = 2;  // to inject, confirm and heal
constexpr double kEachNode_s = 2;  // to take a node out and back in
constexpr double kFirst = 0.4;     // of an interval passes before the first fault (schedule.h)

std::string text_of(const Plan& plan, const char* key) { return plan.options.has(key) ? plan.options.string(key) : ""; }

}  // namespace

Turns estimate_turns(const Plan& plan, std::size_t kinds, std::size_t node_by_node, std::size_t nodes) {
  Turns out;
  const std::size_t slow = std::min(node_by_node, kinds);
  double first_s = kFirst * plan.nemesis_interval_s;
  double turn_s = plan.nemesis_duration_s + kOverhead_s;
  if (text_of(plan, "nemesis.schedule") == "periodic") {
    first_s = plan.nemesis_interval_s;
    turn_s = plan.nemesis_interval_s + plan.nemesis_duration_s;
  } else {
    const bool keep = text_of(plan, "nemesis.quorum") != "any";
    out.at_once = keep ? std::max<std::size_t>(1, (nodes - std::min<std::size_t>(nodes, 1)) / 2) : kinds;
  }
  const std::size_t others = kinds - slow;
  const std::size_t rounds = out.at_once == 0 ? 0 : (others + out.at_once - 1) / out.at_once;
  const double slow_s = turn_s + kEachNode_s * static_cast<double>(nodes);
  const double needed_s = turn_s * static_cast<double>(rounds) + slow_s * static_cast<double>(slow);
  out.all_s = first_s + needed_s;
  const double time_s = plan.time_limit_s - first_s;
  if (time_s >= needed_s)
    out.fit = kinds;
  else if (time_s >= turn_s)
    out.fit = std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(kinds) * time_s / needed_s));
  return out;
}

std::string turns_remark(const Plan& plan, std::size_t kinds, std::size_t node_by_node, std::size_t nodes) {
  if (kinds == 0 || text_of(plan, "nemesis.timeline") != "") return "";
  const Turns turns = estimate_turns(plan, kinds, node_by_node, nodes);
  const bool all =
      plan.options.has("nemesis.inapplicable") && plan.options.origin("nemesis.inapplicable") == "--nemesis all";
  if (!all && turns.fit == kinds) return "";
  std::string out = fmt::format("{} of {} kinds of faults fit into {:g} s, about {} at a time; all would take {:.0f} s",
                                (turns.fit == kinds ? "" : "about ") + std::to_string(turns.fit), kinds,
                                plan.time_limit_s, turns.at_once, std::ceil(turns.all_s));
  if (!all) return out + ". A run in which one never takes effect stays without a verdict";
  return out + (turns.fit == kinds ? "" : ". Those whose turn does not come are named in the results");
}

}  // namespace ordeal
