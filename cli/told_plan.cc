// `ordeal run --dry-run` of a campaign: what would be played, what that does with privilege, and how long it takes.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "base/text.h"
#include "cli/play_campaign.h"
#include "nemesis/catalogue.h"
#include "session/campaign/sharing.h"
#include "targets/catalogue.h"

namespace ordeal::cli {
namespace {

std::string span(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", std::ceil(seconds));
  if (seconds < 7200) return fmt::format("{:.0f} min", std::ceil(seconds / 60));
  return fmt::format("{:.1f} h", seconds / 3600);
}

// How long runs of these lengths take one by one, or side by side in the order in which conduct() starts them.
double total_s(const Campaign& campaign, const std::vector<double>& lengths) {
  std::vector<MachineNeeds> needs;
  for (const PlannedRun& run : campaign.runs) needs.push_back(needs_of(run.plan));
  std::vector<std::size_t> waiting(lengths.size());
  std::iota(waiting.begin(), waiting.end(), 0);
  std::multimap<double, std::size_t> in_progress;  // by when they end
  double now = 0;
  while (!waiting.empty() || !in_progress.empty()) {
    const auto next = std::find_if(waiting.begin(), waiting.end(), [&](std::size_t run) {
      return std::all_of(in_progress.begin(), in_progress.end(),
                         [&](const auto& other) { return may_share(needs[run], needs[other.second]); });
    });
    if (next != waiting.end() && in_progress.size() < static_cast<std::size_t>(campaign.settings.jobs)) {
      in_progress.emplace(now + lengths[*next], *next);
      waiting.erase(next);
    } else {
      now = in_progress.begin()->first;
      in_progress.erase(in_progress.begin());
    }
  }
  return now;
}

// "60 s at least, 9 min at most": the main phases, and what comes after them at the longest.
std::string duration_of(const Campaign& campaign) {
  std::vector<double> main_s, longest_s;
  bool bounded = true;
  for (const PlannedRun& run : campaign.runs) {
    main_s.push_back(run.plan.time_limit_s);
    longest_s.push_back(run.plan.time_limit_s + run.plan.recovery_s + run.plan.check_timeout_s);
    bounded = bounded && run.plan.check_timeout_s > 0;
  }
  const double least = total_s(campaign, main_s), most = total_s(campaign, longest_s);
  std::string out = fmt::format("{} in their main phases; {} with the longest recovery and check", span(least),
                                bounded ? "at most " + span(most) : "without bound");
  if (campaign.settings.jobs > 1) out = fmt::format("{} side by side, {}", campaign.settings.jobs, out);
  if (campaign.settings.budget_s > 0) out += fmt::format("; budget {}", span(campaign.settings.budget_s));
  return out + ". Nodes and targets take their time to come up beside that.";
}

// What a node specification makes with privilege on this machine.
std::string made_here(const std::string& nodes) {
  if (nodes.starts_with("local:")) {
    return "root here: unshare (network, mount, process, host-name namespaces), ip link and ip addr (a bridge and a "
           "veth "
           "pair for each node, in a network namespace of their own), mount (overlay over /), an sshd for each node";
  }
  if (nodes.starts_with("docker:")) return "the Docker daemon: a container for each node, with an sshd";
  return "nothing here; SSH to the machines, and root or sudo there";
}

// The sentences of a fault's help that say how it is done and what that needs.
std::string means_of(const std::string& fault) {
  const auto found = find_fault(fault);
  if (!found) return "";
  const std::string& help = (*found)->help;
  std::string out;
  for (const char* part : {"Mechanism", "Needs on the nodes:"}) {
    const std::size_t begin = help.find(part);
    if (begin == std::string::npos) continue;
    std::size_t end = help.size();
    for (const char* next : {" Mechanism", " Proof:", " Needs on the nodes:"}) {
      if (const std::size_t at = help.find(next, begin + 1); at != std::string::npos) end = std::min(end, at);
    }
    out += (out.empty() ? "" : " ") + help.substr(begin, end - begin);
  }
  return out;
}

bool needs_nodes(const Plan& plan) {
  const auto target = find_target(plan.target);
  return !target || (*target)->needs_nodes == nullptr || (*target)->needs_nodes(plan.options);
}

// Commands of a system that is described by options.
void add_commands(const Plan& plan, std::set<std::string>& out) {
  for (const char* key : {"process.install", "process.start", "process.stop", "process.kill", "process.wipe",
                          "process.ready", "process.pids", "process.primary"}) {
    if (!plan.options.has(key) || plan.options.string(key).empty()) continue;
    const bool root = plan.options.has("process.sudo") && plan.options.boolean("process.sudo");
    out.insert(fmt::format("{}{}: /bin/sh -c {}", key, root ? ", as root" : "", plan.options.string(key)));
  }
}

// Of runs side by side: which wait for each other.
std::string turns_of(const Campaign& campaign) {
  if (campaign.settings.jobs <= 1) return "";
  std::vector<MachineNeeds> needs;
  for (const PlannedRun& run : campaign.runs) needs.push_back(needs_of(run.plan));
  std::string out;
  for (const std::string& line : told_turns(needs)) out += (out.empty() ? "\n" : "") + line + "\n";
  return out;
}

}  // namespace

std::string told_plan(const Campaign& campaign) {
  std::string out = fmt::format("{} runs, {}\n\n", campaign.runs.size(), duration_of(campaign));
  std::set<std::string> nodes;
  std::set<std::string> faults;
  std::set<std::string> commands;
  for (std::size_t i = 0; i < campaign.runs.size(); ++i) {
    const PlannedRun& run = campaign.runs[i];
    out += fmt::format("{:>4}  {}\n", i + 1, run.name);
    out += fmt::format("      {}, {:g} s, seed {}, faults: {}{}\n", needs_nodes(run.plan) ? run.plan.nodes : "no nodes",
                       run.plan.time_limit_s, run.plan.seed,
                       run.plan.nemesis.empty() ? "none" : join(run.plan.nemesis, ", "),
                       run.expect.invalid ? ", expected: " + run.expect.text() : "");
    if (needs_nodes(run.plan)) nodes.insert(run.plan.nodes);
    faults.insert(run.plan.nemesis.begin(), run.plan.nemesis.end());
    add_commands(run.plan, commands);
  }
  out += turns_of(campaign);
  out += nodes.empty() && commands.empty() ? "\nNothing is done with privilege.\n" : "\nWith privilege:\n";
  for (const auto& spec : nodes) out += fmt::format("  {:<13} {}\n", spec, made_here(spec));
  for (const auto& fault : faults) out += fmt::format("  {:<13} on the nodes. {}\n", fault, means_of(fault));
  for (const auto& command : commands) out += fmt::format("  {}\n", command);
  return out;
}

}  // namespace ordeal::cli
