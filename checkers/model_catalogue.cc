#include "checkers/model_catalogue.h"

#include <algorithm>

#include "base/names.h"
#include "base/options.h"
#include "checkers/catalogue.h"
#include "checkers/consistency/sequential.h"
#include "checkers/consistency/weak.h"
#include "checkers/interfaces/last_look.h"
#include "checkers/interfaces/time_bound.h"
#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/models/model.h"
#include "checkers/linearizability/search/strategies.h"
#include "checkers/run/log_pattern.h"
#include "checkers/run/minority.h"
#include "checkers/run/recovery.h"
#include "checkers/transactions/checker.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {
namespace {

// Whether some of its operations only read, and so may be late.
bool has_reads(const lin::ModelInfo& model) {
  switch (model.family) {
    case lin::Family::registers:
    case lin::Family::elements:
    case lin::Family::counters:
      return true;
    default:
      return model.name == "kv" || model.name == "versioned-register";
  }
}

// Whether a level is among those listed: those of a family by what stands for their number or duration.
bool is_listed(const std::vector<std::string>& listed, std::string_view level) {
  if (level.starts_with("k-atomic-")) level = "k-atomic-N";
  return std::any_of(listed.begin(), listed.end(), [&](const std::string& one) { return is_choice(one, level); });
}

// The levels at which a model of checkers/linearizability can be judged.
std::vector<std::string> levels_of(const lin::ModelInfo& model) {
  std::vector<std::string> out = {"linearizable", "sequential"};
  if (has_reads(model)) out.emplace_back(kBoundedStalenessT);
  if (model.weak == lin::WeakLevels::none) return out;
  for (const WeakLevel& level : weak_levels()) {
    if (model.weak == lin::WeakLevels::all || level.cas) out.push_back(level.name);
  }
  out.emplace_back(kEventualT);
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
                           minority_anomalies(), log_pattern_anomalies(), transactional_anomalies()}) {
    out.insert(out.end(), some.begin(), some.end());
  }
  for (const WorkloadChecker& one : workload_checkers()) {
    for (const auto& [name, help] : one.anomalies) {
      const bool known = std::any_of(out.begin(), out.end(),
                                     [&wanted = name](const AnomalyEntry& entry) { return entry.name == wanted; });
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
    const bool known = is_listed(own->levels, consistency);
    if (known || (consistency.empty() && !lin::is_model(model))) return make_workload_checker(*own);
    if (!lin::is_model(model)) return fail(unknown_name("consistency level", consistency, own->levels));
  }
  const lin::ModelInfo* info = lin::find_model(model);
  if (info == nullptr) {
    std::vector<std::string> known;
    for (const auto& one : model_catalogue()) known.push_back(one.name);
    return fail(unknown_name("model", model, known));
  }
  if (consistency.empty() || consistency == "linearizable") return with_last_look(model, linearizable_checker());
  if (consistency == "sequential") return with_last_look(model, sequential_checker());
  std::vector<std::string> known = levels_of(*info);
  if (const WorkloadChecker* own = find_workload_checker(model))
    known.insert(known.end(), own->levels.begin(), own->levels.end());
  if (is_listed(known, consistency)) {
    if (auto checker = weak_checker(consistency)) return with_last_look(model, std::move(checker));
  }
  return fail(unknown_name("consistency level", consistency, known));
}

std::string meaning_of(std::string_view model, std::string_view level) {
  if (is_transactional(model)) {
    if (level == "strongest")
      return "no anomaly at all, which is strict-serializable; the strongest level that holds is named";
    return "nothing that the clients saw is an anomaly which this level forbids";
  }
  if (level == "linearizable") return "one order of all operations, within real time, explains every result";
  if (level == "strongest") return "linearizable; the strongest level that holds is named";
  if (level == "sequential")
    return "one order of all operations that keeps the order of each process explains every result";
  if (level.starts_with("k-atomic-")) {
    return "one order of all operations, within real time, in which every read returns one of the last " +
           std::string(level.substr(std::string_view("k-atomic-").size())) + " values written";
  }
  if (level.starts_with("bounded-staleness-")) {
    return "one order of all operations, within real time, explains every result, where a read may return what was "
           "current up to " +
           std::string(level.substr(std::string_view("bounded-staleness-").size())) + " before it began";
  }
  if (level.starts_with("eventual-")) {
    return "all who read a key " + std::string(level.substr(std::string_view("eventual-").size())) +
           " or longer after its last write read the same, whatever faults keep replicas apart";
  }
  for (const WeakLevel& one : weak_levels()) {
    if (one.name == level) return one.help;
  }
  const WorkloadChecker* own = find_workload_checker(model);
  return own == nullptr ? std::string(level) : own->help;
}

namespace {

tl::unexpected<Error> not_for(const std::string& option, const CheckOptions& options, const std::string& why) {
  return fail(ErrorCode::usage, option + " is not for the model " + options.model +
                                    (options.consistency.empty() ? "" : " at " + options.consistency) + ": " + why);
}

bool has_keys(const History& history, std::string_view function = {}) {
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.process(e) >= 0 && history.key(e) != kAbsent && (function.empty() || history.f_name(e) == function))
      return true;
  }
  return false;
}

Result<void> transactions_honour(const History& history, const CheckOptions& options, bool independent) {
  if (options.initial_unknown || (options.initial && options.model == "list-append"))
    return not_for("--initial", options,
                   options.model == "list-append" ? "lists begin empty" : "a register begins with one known value");
  if (independent || has_keys(history))
    return not_for("--independent", options,
                   "transactions name their keys themselves; check the history of each key of the events alone");
  return {};
}

Result<void> workload_honours(const WorkloadChecker& workload, const CheckOptions& options, bool independent) {
  if (options.initial_unknown || (options.initial && !(workload.takes_initial && options.initial->is_integer())))
    return not_for("--initial", options, workload.takes_initial ? "an integer was expected" : "it begins with nothing");
  if (options.nil_reads == NilReads::unknown) return not_for("--nil-reads unknown", options, "nil means something");
  if (independent && !workload.by_key) return not_for("--independent", options, "it has no keys");
  return {};
}

Result<void> object_honours(const lin::ModelInfo& info, const History& history, const CheckOptions& options) {
  const auto model = lin::make_model(history, options);
  if (!model) return fail(model.error());
  if (options.nil_reads == NilReads::unknown && info.nil == lin::NilResults::observed)
    return not_for("--nil-reads unknown", options, "nil means something");
  const bool linearizable = options.consistency.empty() || options.consistency == "linearizable";
  const bool bounded = options.consistency.starts_with("bounded-staleness-");
  if (bounded && !(*model)->per_key())
    return not_for("--consistency " + options.consistency, options,
                   "it is judged where reads stand alone, not in a txn");
  if (!linearizable && !bounded && options.consistency != "sequential" && !lin::is_one_register(**model))
    return not_for("--consistency " + options.consistency, options,
                   "it is judged for registers with one key an operation only");
  if (!(*model)->per_key() && has_keys(history, "txn"))
    return not_for("--independent", options, "a txn names its keys itself");
  return {};
}

}  // namespace

Result<void> honours(const History& history, const CheckOptions& options, bool independent) {
  const bool object = lin::is_model(options.model);
  const std::string& level = options.consistency;
  const bool linearizable = object && (level.empty() || level == "linearizable");
  const WorkloadChecker* workload = find_workload_checker(options.model);
  const bool by_workload = workload != nullptr && (!object || is_listed(workload->levels, level));
  if (options.algorithm != "auto") {
    const auto known = lin::strategy_names();
    if (std::find(known.begin(), known.end(), options.algorithm) == known.end())
      return fail(unknown_name("algorithm", options.algorithm, known));
    if (!linearizable || by_workload) return not_for("--algorithm", options, "it chooses among those of linearizable");
  }
  if (options.certificate && (by_workload || !(linearizable || (object && level == "sequential"))))
    return not_for("--certificate", options, "only linearizable and sequential give an order of the operations");
  if (options.extra.find("transactional.version-orders") != nullptr && options.model != "rw-register")
    return not_for("--version-orders", options, "only rw-register leaves the order of versions open");
  if (is_transactional(options.model)) return transactions_honour(history, options, independent);
  if (by_workload) return workload_honours(*workload, options, independent);
  if (object) return object_honours(*lin::find_model(options.model), history, options);
  return {};
}

std::span<const AnomalyEntry> anomaly_catalogue() {
  static const std::vector<AnomalyEntry> all = all_anomalies();
  return all;
}

}  // namespace ordeal
