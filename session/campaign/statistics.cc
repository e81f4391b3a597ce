#include "session/campaign/statistics.h"

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "harness/store/run_directory.h"
#include "session/campaign/campaign_text.h"
#include "session/campaign/run_record.h"
#include "session/resolve_plan.h"

namespace ordeal {
namespace {

struct Counts {
  std::size_t runs = 0, failed = 0, decided = 0;
  std::map<std::string, std::size_t> verdicts, anomalies;
};

// What distinguishes it from other runs, and is no default.
std::string kind_of(const Plan& plan) {
  const RunRequest request = request_of(plan);
  std::string out = plan.target + " " + plan.workload;
  if (!plan.nemesis.empty()) out += " " + join(plan.nemesis, ",");
  for (const PlanSetting& setting : plan_settings()) {
    static constexpr std::string_view kSaid[] = {"target", "workload", "nemesis", "seed"};
    const std::string key = setting.name;
    const auto given = request.flags.find(key);
    if (given == request.flags.end() || std::find(std::begin(kSaid), std::end(kSaid), key) != std::end(kSaid)) continue;
    if (given->second.text != setting.text(Plan{})) out += " " + key + "=" + given->second.text;
  }
  for (const auto& [key, given] : request.settings) out += " " + key + "=" + given.text;
  return out;
}

// Errors: why it is left out.
Result<void> count(const std::string& path, std::map<std::string, Counts>& kinds) {
  const auto run = open_run(path);
  if (!run) return fail(run.error());
  const auto plan = read_plan(run->plan);
  if (!plan) return fail(plan.error());
  const auto text = read_text_file(run->path + "/results.json");
  if (!text) return fail(ErrorCode::not_found, "it was not judged yet");
  const auto results = Value::from_json(*text);
  if (!results) return fail(results.error());
  const RunRecord record = RunRecord::from_results(*results);
  Counts& counts = kinds[kind_of(*plan)];
  ++counts.runs;
  if (!record.error.empty() && record.verdict != Verdict::invalid) {
    ++counts.failed;
    return {};
  }
  ++counts.verdicts[std::string(name(record.verdict))];
  if (record.verdict == Verdict::unknown) return {};
  ++counts.decided;
  for (const std::string& type : record.anomalies) ++counts.anomalies[type];
  return {};
}

}  // namespace

bool KindOfRuns::is_flaky() const {
  return (verdicts.contains("valid") && verdicts.contains("invalid")) ||
         std::any_of(anomalies.begin(), anomalies.end(),
                     [](const auto& one) { return one.second.seen < one.second.of; });
}

Result<Statistics> statistics_of(const std::string& store) {
  const auto runs = list_runs(store);
  if (!runs) return fail(runs.error());
  Statistics out;
  std::map<std::string, Counts> kinds;
  for (const std::string& path : *runs) {
    if (auto counted = count(path, kinds); !counted) out.left_out.push_back(path + ": " + counted.error().message);
  }
  for (const auto& [name, counts] : kinds) {
    KindOfRuns kind{name, counts.runs, counts.failed, {}, {}};
    for (const auto& [verdict, seen] : counts.verdicts)
      kind.verdicts[verdict] = rate_of(seen, counts.runs - counts.failed);
    for (const auto& [type, seen] : counts.anomalies) kind.anomalies[type] = rate_of(seen, counts.decided);
    out.kinds.push_back(std::move(kind));
  }
  return out;
}

}  // namespace ordeal
