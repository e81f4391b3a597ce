#include "checkers/model_catalogue.h"

#include <algorithm>

#include "base/names.h"
#include "checkers/catalogue.h"
#include "checkers/consistency/sequential.h"
#include "checkers/consistency/weak.h"
#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/models/model.h"
#include "checkers/run/log_pattern.h"
#include "checkers/run/recovery.h"
#include "checkers/transactions/checker.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {
namespace {

// The levels at which a model of checkers/linearizability can be judged.
std::vector<std::string> levels_of(const lin::ModelInfo& model) {
  std::vector<std::string> out = {"linearizable", "sequential"};
  if (model.weak == lin::WeakLevels::none) return out;
  for (const WeakLevel& level : weak_levels()) {
    if (model.weak == lin::WeakLevels::all || level.cas) out.push_back(level.name);
  }
  if (model.weak == lin::WeakLevels::all) out.push_back("k-atomic-N");
  out.push_back("strongest");
  return out;
}

std::vector<ModelEntry> all_models() {
  std::vector<ModelEntry> out;
  for (const auto& model : lin::models()) out.push_back({model.name, model.help, levels_of(model)});
  out.push_back({"list-append", "transactions that append to lists and read them whole", transactional_levels()});
  out.push_back({"rw-register", "transactions that read and write registers", transactional_levels()});
  for (const WorkloadChecker& one : workload_checkers()) {
    // Some workloads' checkers judge a weaker level of a model that is there already.
    const auto same =
        std::find_if(out.begin(), out.end(), [&](const ModelEntry& model) { return model.name == one.name; });
    if (same == out.end()) {
      out.push_back({one.name, one.help, one.levels});
    } else {
      same->consistency.insert(same->consistency.end(), one.levels.begin(), one.levels.end());
    }
  }
  return out;
}

bool is_transactional(std::string_view model) { return model == "list-append" || model == "rw-register"; }

std::vector<AnomalyEntry> all_anomalies() {
  std::vector<AnomalyEntry> out;
  for (const auto& some : {linearizable_anomalies(), sequential_anomalies(), weak_anomalies(), recovery_anomalies(),
                           log_pattern_anomalies(), transactional_anomalies()}) {
    out.insert(out.end(), some.begin(), some.end());
  }
  for (const WorkloadChecker& one : workload_checkers()) {
    for (const auto& [name, help] : one.anomalies) {
      const bool known =
          std::any_of(out.begin(), out.end(), [&](const AnomalyEntry& entry) { return entry.name == name; });
      if (!known) out.push_back({name, help});
    }
  }
  return out;
}

}  // namespace

const std::vector<ModelEntry>& model_catalogue() {
  static const std::vector<ModelEntry> all = all_models();
  return all;
}

Result<std::shared_ptr<const Checker>> checker_for(std::string_view model, std::string_view consistency) {
  if (is_transactional(model)) {
    const auto known = transactional_levels();
    if (consistency.empty() || std::find(known.begin(), known.end(), consistency) != known.end())
      return transactional_checker();
    return fail(unknown_name("consistency level", consistency, known));
  }
  if (const WorkloadChecker* own = find_workload_checker(model)) {
    const bool known = std::find(own->levels.begin(), own->levels.end(), consistency) != own->levels.end();
    if (known || (consistency.empty() && !lin::is_model(model))) return make_workload_checker(*own);
    if (!lin::is_model(model)) return fail(unknown_name("consistency level", consistency, own->levels));
  }
  const lin::ModelInfo* info = lin::find_model(model);
  if (info == nullptr) {
    std::vector<std::string> known;
    for (const auto& one : model_catalogue()) known.push_back(one.name);
    return fail(unknown_name("model", model, known));
  }
  if (consistency.empty() || consistency == "linearizable") return linearizable_checker();
  if (consistency == "sequential") return sequential_checker();
  std::vector<std::string> known = levels_of(*info);
  if (const WorkloadChecker* own = find_workload_checker(model))
    known.insert(known.end(), own->levels.begin(), own->levels.end());
  const std::string_view listed = consistency.starts_with("k-atomic-") ? "k-atomic-N" : consistency;
  if (std::find(known.begin(), known.end(), listed) != known.end()) {
    if (auto checker = weak_checker(consistency)) return checker;
  }
  return fail(unknown_name("consistency level", consistency, known));
}

std::span<const AnomalyEntry> anomaly_catalogue() {
  static const std::vector<AnomalyEntry> all = all_anomalies();
  return all;
}

}  // namespace ordeal
