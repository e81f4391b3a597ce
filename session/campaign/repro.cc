#include "session/campaign/repro.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "harness/store/run_directory.h"
#include "session/resolve_plan.h"

namespace ordeal {

Result<Repro> repro_of(const std::string& path, std::size_t times, const std::string& store) {
  auto run = open_run(path);
  if (!run) return fail(run.error());
  auto plan = read_plan(run->plan);
  if (!plan) return fail(plan.error().during(run->path + "/plan.json"));
  plan->store = store.empty() ? std::filesystem::path(run->path).parent_path().parent_path().string() : store;
  // Each repetition would leave a cluster behind.
  if (plan->options.has("nodes.keep")) {
    if (auto set = plan->options.set("nodes.keep", "false", "ordeal repro"); !set) return fail(set.error());
  }
  Repro out;
  // A run that was never judged showed nothing that is known.
  if (const auto text = read_text_file(run->path + "/results.json")) {
    const auto results = Value::from_json(*text);
    if (!results) return fail(results.error().during(run->path + "/results.json"));
    out.anomalies = RunRecord::from_results(*results).anomalies;
  }
  out.campaign.name = "repro-" + run->name;
  for (std::size_t i = 0; i < times; ++i) {
    out.campaign.runs.push_back({fmt::format("repeat {}", i + 1), *plan, {}});
  }
  return out;
}

ReproRates rates_of(const std::vector<std::string>& anomalies, const CampaignOutcome& outcome) {
  std::size_t decided = 0;
  std::size_t invalid = 0;
  std::size_t same = 0;
  for (const auto& run : outcome.runs) {
    const bool played = run.standing != Standing::not_started && run.standing != Standing::not_needed;
    if (!played || run.record.verdict == Verdict::unknown) continue;
    ++decided;
    if (run.record.verdict != Verdict::invalid) continue;
    ++invalid;
    const auto& found = run.record.anomalies;
    same += std::any_of(anomalies.begin(), anomalies.end(),
                        [&](const auto& type) { return std::find(found.begin(), found.end(), type) != found.end(); })
                ? 1
                : 0;
  }
  return {rate_of(invalid, decided), rate_of(same, decided), outcome.runs.size() - decided};
}

}  // namespace ordeal
