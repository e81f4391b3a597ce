#include "session/campaign/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/files.h"
#include "base/text.h"
#include "harness/store/run_directory.h"
#include "session/campaign/campaign_store.h"

namespace ordeal {
namespace fs = std::filesystem;
namespace {

constexpr double kRatio = 1.5;
constexpr double kLeast_s = 1;

Result<Side> side_of_campaign(const std::string& path) {
  const auto stored = read_stored_campaign(path);
  if (!stored) return fail(stored.error());
  Side out{stored->path, {}};
  for (const PlannedRun& run : stored->campaign.runs) out.runs.push_back({run.name, std::nullopt});
  for (const RunRecord& record : stored->records) {
    if (!record.interrupted) out.runs[record.run].record = record;
  }
  return out;
}

Result<Side> side_of_run(const std::string& path) {
  const auto run = open_run(path);
  if (!run) return fail(run.error());
  const auto text = read_text_file(run->path + "/results.json");
  if (!text) {
    return fail(ErrorCode::usage, fmt::format("{} was not judged yet: ordeal report {}", run->path, path));
  }
  const auto results = Value::from_json(*text);
  if (!results) return fail(results.error().during(run->path + "/results.json"));
  Side out{run->path, {{"run", RunRecord::from_results(*results)}}};
  const Value* duration = results->find("duration_s");
  if (duration != nullptr && (duration->is_real() || duration->is_integer()))
    out.runs[0].record->seconds = duration->real();
  return out;
}

// The types of `a` that `b` lacks.
std::vector<std::string> without(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::string> out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

std::string verdict_of(const Side::Run& run) {
  if (!run.record) return "not played";
  if (!run.record->error.empty()) return "failed: " + run.record->error;
  const std::string verdict(name(run.record->verdict));
  return run.record->reason.empty() ? verdict : verdict + ": " + run.record->reason;
}

// Valid and invalid both say that all was looked at.
bool is_decided(const Side::Run& run) {
  return run.record && run.record->error.empty() && run.record->verdict != Verdict::unknown;
}

// What became of the verdict, when it is another.
std::string kind_of_verdict(const Side::Run& run) {
  if (!run.record) return "not played";
  return run.record->error.empty() ? std::string(name(run.record->verdict)) : "failed";
}

void compare_runs(const Side::Run& before, const Side::Run& after, std::vector<Difference>& out) {
  using Kind = Difference::Kind;
  static const std::vector<std::string> kNone;
  const auto& had = before.record ? before.record->anomalies : kNone;
  const auto& has = after.record ? after.record->anomalies : kNone;
  const auto found = without(has, had);
  const auto missing = without(had, has);
  if (!found.empty()) out.push_back({after.name, Kind::found, join(found, ", ")});
  const bool gone = !missing.empty() && is_decided(after);
  if (gone) out.push_back({after.name, Kind::gone, join(missing, ", ")});
  if (kind_of_verdict(before) != kind_of_verdict(after) && found.empty() && !gone) {
    out.push_back({after.name, Kind::verdict, verdict_of(before) + ", then " + verdict_of(after)});
  }
  if (!is_decided(before) || !is_decided(after)) return;
  const double a = before.record->seconds;
  const double b = after.record->seconds;
  const std::string times = fmt::format("{:.1f} s, then {:.1f} s", a, b);
  if (b > a * kRatio && b > a + kLeast_s) out.push_back({after.name, Kind::slower, times});
  if (a > b * kRatio && a > b + kLeast_s) out.push_back({after.name, Kind::faster, times});
}

}  // namespace

Result<Side> read_side(const std::string& path) {
  std::error_code error;
  auto out = fs::exists(path + "/campaign.json", error) ? side_of_campaign(path)
             : fs::exists(latest_campaign(path), error) ? side_of_campaign(latest_campaign(path))
                                                        : side_of_run(path);
  if (out || out.error().code == ErrorCode::input) return out;
  return fail(ErrorCode::usage, out.error().message);
}

std::string_view name(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::found:
      return "new";
    case Difference::Kind::gone:
      return "gone";
    case Difference::Kind::verdict:
      return "verdict";
    case Difference::Kind::slower:
      return "slower";
    case Difference::Kind::faster:
      return "faster";
    case Difference::Kind::only_before:
      return "only before";
    case Difference::Kind::only_after:
      return "only after";
  }
  return "verdict";
}

std::vector<Difference> compare(const Side& before, const Side& after) {
  std::map<std::string, const Side::Run*> known;
  for (const auto& run : before.runs) known[run.name] = &run;
  std::vector<Difference> out;
  for (const auto& run : after.runs) {
    const auto pair = known.find(run.name);
    if (pair == known.end()) {
      // An anomaly that nobody saw before is new, wherever it is.
      if (run.record && !run.record->anomalies.empty())
        out.push_back({run.name, Difference::Kind::found, join(run.record->anomalies, ", ")});
      out.push_back({run.name, Difference::Kind::only_after, verdict_of(run)});
    } else {
      compare_runs(*pair->second, run, out);
      known.erase(pair);
    }
  }
  for (const auto& run : before.runs) {
    if (known.contains(run.name)) out.push_back({run.name, Difference::Kind::only_before, verdict_of(run)});
  }
  return out;
}

}  // namespace ordeal
