#include "session/campaign/shrink_subject.h"

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/names.h"
#include "base/text.h"
#include "harness/store/run_directory.h"
#include "session/campaign/campaign_text.h"
#include "session/resolve_plan.h"

namespace ordeal {
namespace {

Result<Value> results_of(const StoredRun& run) {
  const std::string path = run.path + "/results.json";
  const auto text = read_text_file(path);
  if (!text && text.error().code == ErrorCode::not_found) {
    return fail(ErrorCode::usage, run.path + " was not judged yet: ordeal report " + run.path);
  }
  if (!text) return fail(text.error());
  auto results = Value::from_json(*text);
  if (!results) return fail(results.error().during(path));
  return results;
}

std::int64_t operations_of(const Value& results) {
  const Value* counts = results.find("operations");
  const Value* total = counts == nullptr ? nullptr : counts->find("total");
  return total != nullptr && total->is_integer() ? total->integer() : 0;
}

std::string first_told(const RunRecord& record) {
  for (const CheckRecord& check : record.checks) {
    if (check.verdict == Verdict::invalid && !check.type.empty()) return check.type;
  }
  return record.anomalies.empty() ? "" : record.anomalies.front();
}

}  // namespace

bool shows(const RunRecord& record, const std::string& anomaly) {
  return record.verdict == Verdict::invalid &&
         std::any_of(record.named.begin(), record.named.end(), [&](const std::string& one) {
           const std::size_t slash = one.find('/');
           return one.substr(0, slash) == anomaly || (slash != std::string::npos && one.substr(slash + 1) == anomaly);
         });
}

Result<ShrinkSubject> shrink_subject(const std::string& path, const std::string& anomaly) {
  auto run = open_run(path);
  if (!run) return fail(run.error());
  const auto plan = read_plan(run->plan);
  if (!plan) return fail(plan.error().during(run->path + "/plan.json"));
  const auto results = results_of(*run);
  if (!results) return fail(results.error());
  const RunRecord record = RunRecord::from_results(*results);
  ShrinkSubject out;
  out.run = run->path;
  out.name = run->name;
  out.store = std::filesystem::path(run->path).parent_path().parent_path().string();
  out.request = request_of(*plan);
  out.request.settings.erase("nodes.keep");  // each repetition would leave a cluster behind
  out.anomaly = anomaly.empty() ? first_told(record) : anomaly;
  out.shown = record.named;
  out.size = {record.injected, operations_of(*results), plan->time_limit_s, plan->concurrency, plan->nodes};
  if (out.anomaly.empty()) {
    return fail(ErrorCode::usage, run->path + " showed no anomaly (" + std::string(name(record.verdict)) +
                                      "): there is nothing to hold on to while it is made smaller");
  }
  if (!shows(record, out.anomaly)) {
    return fail(ErrorCode::usage, run->path + " did not show \"" + out.anomaly + "\"; it showed " + joined(out.shown));
  }
  return out;
}

}  // namespace ordeal
