#include "session/campaign/sharing.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/names.h"
#include "base/text.h"
#include "harness/nodes/inventory.h"
#include "harness/nodes/node_source.h"
#include "targets/catalogue.h"

namespace ordeal {
namespace {

bool has_fault(const Plan& plan, const char* name) {
  return std::find(plan.nemesis.begin(), plan.nemesis.end(), name) != plan.nemesis.end();
}

// Of a run whose nodes are on this machine.
std::string why_alone(const Plan& plan) {
  if (has_fault(plan, "slow")) return "slow is confirmed by the processor time that the target gets";
  const char* mechanism = "disk-full.mechanism";
  if (has_fault(plan, "disk-full") && plan.options.has(mechanism) && plan.options.string(mechanism) == "balloon")
    return "a balloon of disk-full fills a disk that others may be on";
  if (plan.rate == 0) return "it goes as fast as the machine can";
  return "";
}

// What names the machines of one's own. A host that has two names is taken for two; the lock on the node (ownership.h)
// then refuses the second run.
std::set<std::string> hosts_of(const std::string& nodes) {
  std::set<std::string> out;
  if (!nodes.starts_with("ssh:")) {
    for (const auto& host : split(nodes, ',')) out.insert("host " + host);
    return out;
  }
  const auto inventory = nodes::read_inventory(nodes.substr(4));
  if (!inventory) return {"inventory " + nodes};  // the run will say what is wrong with it
  // The same addresses in another network are other machines.
  const std::string where = inventory->network_namespace.empty() ? "" : " in network " + inventory->network_namespace;
  for (const auto& host : inventory->hosts) {
    out.insert("host " + host.name + where);
    if (!host.host.empty()) out.insert("host " + host.host + where);
  }
  return out;
}

// "http://h1:8080/path" is on h1, "[::1]:80" on [::1].
std::string host_of(std::string_view endpoint) {
  if (const std::size_t scheme = endpoint.find("://"); scheme != std::string_view::npos)
    endpoint.remove_prefix(scheme + 3);
  endpoint = endpoint.substr(0, endpoint.find('/'));
  const std::size_t bracket = endpoint.find(']');
  return std::string(endpoint.substr(0, endpoint.find(':', bracket == std::string_view::npos ? 0 : bracket)));
}

// Where the clients of a system go that somebody else runs. Without endpoints nobody knows.
std::set<std::string> systems_of(const Plan& plan) {
  const char* endpoints = "process.endpoints";
  std::set<std::string> out;
  if (plan.options.has(endpoints)) {
    for (const auto& one : split(plan.options.string(endpoints), ',')) out.insert("host " + host_of(one));
  }
  if (out.empty()) out.insert("the system of " + plan.target);
  return out;
}

// "run 2", "runs 1, 2 and 3"; of many the first and how many more.
std::string told_runs(const std::vector<std::size_t>& runs) {
  constexpr std::size_t kShown = 8;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(kShown, runs.size()); ++i) names.push_back(std::to_string(runs[i]));
  if (runs.size() > kShown) names.push_back(fmt::format("{} more", runs.size() - kShown));
  return (runs.size() > 1 ? "runs " : "run ") + joined(names);
}

}  // namespace

MachineNeeds needs_of(const Plan& plan) {
  MachineNeeds out;
  const auto target = find_target(plan.target);
  const bool has_nodes = !target || (*target)->needs_nodes == nullptr || (*target)->needs_nodes(plan.options);
  if (!has_nodes) {
    if (plan.target != "memory") out.taken = systems_of(plan);
  } else if (nodes::are_made_for_run(plan.nodes)) {
    out.alone = why_alone(plan);
  } else {
    out.taken = hosts_of(plan.nodes);
  }
  return out;
}

bool may_share(const MachineNeeds& a, const MachineNeeds& b) {
  if (!a.alone.empty() || !b.alone.empty()) return false;
  return std::none_of(a.taken.begin(), a.taken.end(), [&](const auto& one) { return b.taken.contains(one); });
}

std::vector<std::string> told_turns(const std::vector<MachineNeeds>& runs) {
  std::map<std::string, std::vector<std::size_t>> alone, taken;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!runs[i].alone.empty()) alone[runs[i].alone].push_back(i + 1);
    for (const std::string& one : runs[i].taken) taken[one].push_back(i + 1);
  }
  std::vector<std::string> out;
  if (runs.size() < 2) return out;
  for (const auto& [why, which] : alone) out.push_back(fmt::format("alone: {} ({})", told_runs(which), why));
  // Of several things that the same runs share one is enough.
  std::set<std::vector<std::size_t>> told;
  for (const auto& [what, which] : taken) {
    if (which.size() > 1 && told.insert(which).second)
      out.push_back(fmt::format("one at a time: {} ({})", told_runs(which), what));
  }
  return out;
}

}  // namespace ordeal
