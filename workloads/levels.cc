#include "workloads/levels.h"

#include <algorithm>

#include "base/names.h"
#include "checkers/model_catalogue.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {
namespace {

constexpr int kMaxAtomic = 16;  // checkers/consistency/k_atomic.h

// Those of the catalogue, with each k-atomic-N by its number.
std::vector<std::string> levels_of_model(const std::string& model) {
  const auto& all = model_catalogue();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ModelEntry& one) { return one.name == model; });
  ORDEAL_CHECK(found != all.end(), "no model: " + model);
  std::vector<std::string> out;
  for (const std::string& level : found->consistency) {
    if (level != "k-atomic-N") {
      out.push_back(level);
      continue;
    }
    for (int n = 1; n <= kMaxAtomic; ++n) out.push_back("k-atomic-" + std::to_string(n));
  }
  return out;
}

// Also one of any duration for the T in a level's name.
bool has(const std::vector<std::string>& levels, const std::string& level) {
  return std::any_of(levels.begin(), levels.end(), [&](const std::string& one) { return is_choice(one, level); });
}
bool names(const std::vector<std::string>& levels, const std::string& level) {
  return std::find(levels.begin(), levels.end(), level) != levels.end();
}

// The first of the models that has the level.
const std::string& judging(const std::vector<std::string>& models, const std::string& level) {
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const std::string& model) { return has(levels_of_model(model), level); });
  ORDEAL_CHECK(found != models.end(), "no model has the level " + level);
  return *found;
}

const OptionSpec& option_of(const WorkloadFactory& workload) {
  const auto found = std::find_if(workload.options.begin(), workload.options.end(),
                                  [&](const OptionSpec& one) { return one.key == workload.level_option; });
  ORDEAL_CHECK(found != workload.options.end(), "no option " + workload.level_option);
  return *found;
}

}  // namespace

void offer_levels(WorkloadFactory& factory, const LevelOption& option) {
  OptionSpec spec{option.key, OptionSpec::Type::string, option.default_level, "the level that is claimed"};
  spec.choices = {option.default_level};
  for (const std::string& model : option.models) {
    for (const std::string& level : levels_of_model(model)) {
      if (!names(spec.choices, level)) spec.choices.push_back(level);
    }
  }
  for (const auto& [level, meaning] : option.meanings) spec.help += "; " + level + ": " + meaning;
  factory.options.push_back(std::move(spec));
  factory.level_option = option.key;
  factory.models = option.models;
  factory.meanings = option.meanings;
}

ConfiguredChecker judge_at(const std::vector<std::string>& models, const std::string& level, const Options& settings) {
  CheckOptions how;
  how.model = judging(models, level);
  how.consistency = level;
  how.settings = settings;
  auto checker = checker_for(how.model, level);
  ORDEAL_CHECK(checker.has_value(), checker ? std::string() : checker.error().message);
  return {*std::move(checker), std::move(how)};
}

Options settling(const std::vector<std::string>& checkers, const Options& options, const std::string& workload) {
  Options out;
  for (const std::string& checker : checkers) {
    out.declare(find_workload_checker(checker)->options);
    const auto set =
        out.set(checker + ".settle", std::to_string(options.seconds(workload + ".settle")), workload + ".settle");
    ORDEAL_CHECK(set.has_value(), set ? std::string() : set.error().message);
  }
  return out;
}

std::vector<std::string> levels_of(const WorkloadFactory& workload) {
  if (!workload.level_option.empty()) return option_of(workload).choices;
  std::vector<std::string> out;
  for (const ConfiguredChecker& one : workload.checkers(Options(workload.options))) {
    const WorkloadChecker* own = find_workload_checker(one.checker->name());
    ORDEAL_CHECK(own != nullptr, "workload " + workload.name + " offers no levels and has no checker of its own");
    out.insert(out.end(), own->levels.begin(), own->levels.end());
  }
  return out;
}

Result<void> set_level(const WorkloadFactory& workload, const std::string& level, const std::string& origin,
                       Options& options) {
  const auto known = levels_of(workload);
  if (!has(known, level))
    return fail(unknown_name("consistency level of workload " + workload.name, level, known).during(origin));
  // One that is judged at one level only has no option for it.
  return workload.level_option.empty() ? Result<void>{} : options.set(workload.level_option, level, origin);
}

std::string promise_at(const WorkloadFactory& workload, const std::string& level) {
  if (workload.level_option.empty() || option_of(workload).default_value == Value(level)) return workload.promise;
  const auto own = std::find_if(workload.meanings.begin(), workload.meanings.end(),
                                [&](const auto& one) { return one.first == level; });
  const std::string& model = judging(workload.models, level);
  const std::string meaning = own != workload.meanings.end() ? own->second : meaning_of(model, level);
  return "Judged as " + model + " at the level " + level + ", and no more is claimed: " + meaning + ".";
}

}  // namespace ordeal
