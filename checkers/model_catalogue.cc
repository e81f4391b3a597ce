#include "checkers/model_catalogue.h"

#include <algorithm>

#include "base/names.h"
#include "checkers/catalogue.h"
#include "checkers/consistency/sequential.h"
#include "checkers/consistency/weak.h"
#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/models/model.h"
#include "checkers/transactions/checker.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {
namespace {

// The levels at which a model of checkers/linearizability can be judged.
std::vector<std::string> levels_of(std::string_view model) {
  std::vector<std::string> out = {"linearizable", "sequential"};
  if (model != "register" && model != "cas-register" && model != "multi-register") return out;
  for (const WeakLevel& level : weak_levels()) {
    if (model != "cas-register" || level.cas) out.push_back(level.name);
  }
  if (model != "cas-register") out.push_back("k-atomic-N");
  out.push_back("strongest");
  return out;
}

std::vector<ModelEntry> all_models() {
  std::vector<ModelEntry> out;
  for (const auto& model : lin::models()) out.push_back({model.name, model.help, levels_of(model.name)});
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
  std::vector<AnomalyEntry> out = {
      {"nonlinearizable", "no order of the operations respects real time and the model"},
      {"nonsequential", "no order of the operations keeps the order of each process and fits the model"},
      {"ThinAirRead", "a read returned a value that nobody wrote"},
      {"CyclicCO", "what processes did and saw puts an operation before itself"},
      {"WriteCOInitRead", "a read returned the initial value although a write to its key comes before it causally"},
      {"WriteCORead", "a read returned a value that, as it must have known, was overwritten"},
      {"CyclicCF", "the reads of different processes agree on no order of the writes"},
      {"WriteHBInitRead",
       "a read returned the initial value although, from what its process saw, a write comes before it"},
      {"CyclicHB", "one process' reads fit no order of the writes that it knows causally"},
      {"nonpram", "one process' reads fit no order of all writes that keeps the order of each process"},
      {"stale-own-write", "a process did not see what it had written itself, or something newer"},
      {"non-monotonic-read", "a process saw an older version of a key after a newer one"},
      {"non-monotonic-write", "a process' writes to a key were seen in another order than it made them"},
      {"write-before-read-version", "a write was seen before the version that its process had read when it wrote"},
      {"read-before-write", "a read returned a value whose write had not begun"},
      {"divergence", "after all writes of a key had ended, processes went on to read different values"},
      {"non-k-atomic", "no order of the operations respects real time and lets each read see one of the last N values"},
      {"stale-read", "a read misses an element, or returns a value, that was replaced or added before it began"},
      {"unrecovered", "a node did not serve again after the faults were healed, though it had to survive them"},
      {"slow-recovery", "after a fault was healed, the clients did not succeed again within the bound that was set"},
      {"crash-in-log", "a line in the target's log says that it panicked or gave up"},
  };
  for (auto& [name, help] : transactional_anomalies()) out.push_back({name, help});
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
  if (!lin::is_model(model)) {
    std::vector<std::string> known;
    for (const auto& one : model_catalogue()) known.push_back(one.name);
    return fail(unknown_name("model", model, known));
  }
  if (consistency.empty() || consistency == "linearizable") return linearizable_checker();
  if (consistency == "sequential") return sequential_checker();
  std::vector<std::string> known = levels_of(model);
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
