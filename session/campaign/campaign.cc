#include "session/campaign/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/text.h"
#include "session/resolve_plan.h"

namespace ordeal {
namespace {

std::string text_of(const RunRequest& run, const char* flag) {
  const auto found = run.flags.find(flag);
  return found == run.flags.end() ? "" : found->second.text;
}

// Whose options a run knows, as declared; nothing when it names what there is not, which resolve() tells.
class Known {
 public:
  // nullptr: cannot be told.
  const Options* of(const RunRequest& run) {
    if (run.settings.contains("nemesis.timeline")) return nullptr;  // whose faults resolve() looks up
    std::string workload = text_of(run, "workload");
    if (workload.empty()) workload = Plan{}.workload;
    const std::string target = text_of(run, "target");
    const std::string nemesis = text_of(run, "nemesis");
    const auto [place, fresh] = cache_.try_emplace({target, workload, nemesis});
    if (fresh) {
      // "all" is no fault: then everything stays.
      auto options =
          declared_options(target, workload, nemesis == "none" ? std::vector<std::string>{} : split(nemesis, ','));
      if (options) place->second = *std::move(options);
    }
    return place->second ? &*place->second : nullptr;
  }

 private:
  std::map<std::vector<std::string>, std::optional<Options>> cache_;
};

bool has_choice(const CampaignFile& file, const char* flag) {
  return std::any_of(file.axes.begin(), file.axes.end(),
                     [&](const Axis& one) { return !one.setting && one.key == flag && one.choices.size() > 1; });
}

// Everything that is asked, as one text.
std::string asked(const RunRequest& run) {
  std::string out;
  for (const auto* given : {&run.flags, &run.settings}) {
    for (const auto& [key, value] : *given) out += Value(key).to_json() + Value(value.text).to_json();
    out += '\n';
  }
  return out;
}

// Options of one target, workload or fault among several are left out of the runs that do not have it. One that no run
// has stays in all of them, to be refused.
std::vector<RequestedRun> without_options_of_others(const CampaignFile& file, std::vector<RequestedRun> runs) {
  if (!has_choice(file, "target") && !has_choice(file, "workload") && !has_choice(file, "nemesis")) return runs;
  Known known;
  std::set<std::string> somewhere;
  for (const auto& run : runs) {
    const Options* options = known.of(run.request);
    if (options == nullptr) return runs;
    for (const auto& [key, given] : run.request.settings) {
      if (options->has(key)) somewhere.insert(key);
    }
  }
  std::vector<RequestedRun> out;
  std::set<std::string> seen;
  for (auto& run : runs) {
    const Options* options = known.of(run.request);
    const std::size_t dropped = std::erase_if(run.request.settings, [&](const auto& one) {
      // Those of the schedule are no matter to a run without faults (resolve()).
      return !one.first.starts_with("nemesis.") && somewhere.contains(one.first) && !options->has(one.first);
    });
    if (dropped > 0 && !seen.insert(asked(run.request)).second) continue;
    out.push_back(std::move(run));
  }
  return out;
}

// What distinguishes the run. Target, workload, faults and a seed that was said are always named, so that runs of two
// campaigns can be compared.
std::string name_of(const CampaignFile& file, const RunRequest& run, const Plan& plan) {
  std::string out = plan.target + " " + plan.workload;
  const std::string faults = join(split(text_of(run, "nemesis"), ','), ",");
  if (!faults.empty() && faults != "none") {
    out += " " + faults;
  } else if (has_choice(file, "nemesis")) {
    out += " no-faults";
  }
  if (run.flags.contains("seed")) out += " seed=" + text_of(run, "seed");
  for (const Axis& axis : file.axes) {
    static constexpr std::string_view kSaid[] = {"target", "workload", "nemesis", "seed"};
    if (axis.choices.size() < 2 || std::find(std::begin(kSaid), std::end(kSaid), axis.key) != std::end(kSaid)) continue;
    const auto& given = axis.setting ? run.settings : run.flags;
    if (const auto found = given.find(axis.key); found != given.end()) out += " " + axis.key + "=" + found->second.text;
  }
  return out;
}

}  // namespace

Result<Campaign> plan_campaign(const CampaignFile& file) {
  auto requested = runs_of(file);
  if (!requested) return fail(requested.error());
  Campaign out{file.name, file.settings, {}, true, {}};
  std::map<std::string, int> names;
  for (const RequestedRun& run : without_options_of_others(file, *std::move(requested))) {
    auto plan = resolve(run.request);
    if (!plan) return fail(plan.error());
    out.seeded = out.seeded && run.request.flags.contains("seed");
    std::string name = name_of(file, run.request, *plan);
    if (const int before = names[name]++; before > 0) name += fmt::format(" #{}", before + 1);
    out.runs.push_back({std::move(name), *std::move(plan), run.expect});
  }
  return out;
}

}  // namespace ordeal
