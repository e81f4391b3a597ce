#include "session/resolve_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

#include "base/names.h"
#include "base/text.h"
#include "harness/nodes/node_source.h"
#include "nemesis/catalogue.h"
#include "nemesis/engine/driver_options.h"
#include "nemesis/fault_names.h"
#include "session/fitting.h"
#include "session/node_records.h"
#include "targets/catalogue.h"
#include "workloads/catalogue.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

// What nemesis.timeline of these settings says; empty: nothing.
std::string timeline_of(const RunRequest& request) {
  const auto found = request.settings.find("nemesis.timeline");
  return found == request.settings.end() ? "" : found->second.text;
}

// Reads the flags of a request into a plan, and writes down where each came from.
class Resolver {
 public:
  Resolver(const RunRequest& request, Plan& plan) : request_(request), plan_(plan) {}

  // Nullptr: it was not given, and the default stands.
  const Given* find(const char* flag) {
    const auto found = request_.flags.find(flag);
    plan_.origins.set(flag, found == request_.flags.end() ? "default" : found->second.origin);
    return found == request_.flags.end() ? nullptr : &found->second;
  }
  Result<void> read(const PlanSetting& setting) {
    const Given* given = find(setting.name);
    if (given == nullptr) return {};
    auto set = setting.set(plan_, given->text);
    if (!set) return fail(set.error().during(given->where()));
    return {};
  }
  // The same error with the place where `flag` was given before it.
  [[nodiscard]] Error at(const char* flag, const Error& error) const {
    const auto found = request_.flags.find(flag);
    return found == request_.flags.end() ? error : error.during(found->second.where());
  }
  // The same with the place of the option that the message names, or else of `flag`; what the command line says needs
  // none.
  [[nodiscard]] Error at_option(const Error& error, const char* flag) const {
    for (const auto& [key, given] : request_.settings) {
      if (error.message.find(key) == std::string::npos) continue;
      return given.place.empty() ? error : error.during(given.place);
    }
    const auto found = request_.flags.find(flag);
    return found == request_.flags.end() || found->second.place.empty() ? error : error.during(found->second.place);
  }

 private:
  const RunRequest& request_;
  Plan& plan_;
};

// Target and workload, and whether they fit. Errors: usage.
Result<std::pair<const TargetFactory*, const WorkloadFactory*>> resolve_names(const Resolver& given, Plan& plan) {
  if (plan.target.empty()) {
    std::vector<std::string> known;
    for (const auto& one : targets()) known.push_back(one.name);
    return fail(ErrorCode::usage, "no target: say --target; known: " + joined(known));
  }
  const auto target = find_target(plan.target);
  if (!target) return fail(given.at("target", target.error()));
  if (plan.workload.empty()) plan.workload = Plan{}.workload;
  const auto workload = find_workload(plan.workload);
  if (!workload) return fail(given.at("workload", workload.error()));
  // A target that learns its operations from its options (an adapter tells which it knows) is looked at later.
  if ((*target)->operations_with == nullptr) {
    if (auto fit = fits(**target, (*target)->operations, **workload, nullptr); !fit) {
      return fail(given.at("workload", fit.error()));
    }
  }
  return std::pair{*target, *workload};
}

// What the options say beyond their own ranges. Errors: usage.
Result<void> check_options(const Plan& plan, const TargetFactory& target, const WorkloadFactory& workload) {
  const auto operations = target.operations_with == nullptr ? target.operations : target.operations_with(plan.options);
  if (!operations) return fail(operations.error());
  if (auto fit = fits(target, *operations, workload, &plan.options); !fit) return fit;
  if (target.check_options != nullptr) return target.check_options(plan.options, workload.data_type);
  return {};
}

// The flag --consistency sets the option of the workload that says the level. Errors: usage.
Result<void> resolve_level(const RunRequest& request, const WorkloadFactory& workload, Plan& plan) {
  const auto flag = request.flags.find("consistency");
  if (flag == request.flags.end()) return {};
  const auto setting = request.settings.find(workload.level_option);
  if (setting != request.settings.end() && setting->second.text != plan.consistency) {
    return fail(ErrorCode::usage,
                fmt::format("{} says {}, and {} says {}={}; say one of them", flag->second.where(), plan.consistency,
                            setting->second.where(), workload.level_option, setting->second.text));
  }
  auto set = set_level(workload, plan.consistency, flag->second.origin, plan.options);
  if (!set && !flag->second.place.empty()) return fail(set.error().during(flag->second.place));
  return set;
}

// Errors: usage, for a key that no schedule has.
Result<void> is_of_the_schedule(const std::string& key) {
  std::vector<std::string> known;
  for (const OptionSpec& spec : nemesis_options()) {
    if (spec.key == key) return {};
    known.push_back(spec.key);
  }
  return fail(unknown_name("option", key, known));
}

}  // namespace

Result<Options> declared_options(const std::string& target, const std::string& workload,
                                 const std::vector<std::string>& nemesis) {
  Options options;
  const auto found_target = find_target(target);
  if (!found_target) return fail(found_target.error());
  options.declare((*found_target)->options);
  const auto found_workload = find_workload(workload);
  if (!found_workload) return fail(found_workload.error());
  options.declare((*found_workload)->options);
  options.declare(nodes::node_options());
  if (!nemesis.empty()) options.declare(nemesis_options());
  for (auto fault = nemesis.begin(); fault != nemesis.end(); ++fault) {
    if (std::find(nemesis.begin(), fault, *fault) != fault) continue;  // a plan.json written by hand may say it twice
    const auto found = find_fault(*fault);
    if (!found) return fail(found.error());
    options.declare((*found)->options);
  }
  return options;
}

Result<Plan> read_plan(const Value& value) {
  const auto text = [&](const char* key) -> std::string {
    const Value* found = value.find(key);
    return found != nullptr && found->is_string() ? found->string() : "";
  };
  std::vector<std::string> nemesis;
  if (const Value* faults = value.find("nemesis"); faults != nullptr && faults->is_list()) {
    for (const auto& fault : faults->items()) {
      if (fault.is_string()) nemesis.push_back(fault.string());
    }
  }
  auto options = declared_options(text("target"), text("workload"), nemesis);
  if (!options) return fail(ErrorCode::input, options.error().message);
  return Plan::from_value(value, *std::move(options));
}

Result<Plan> resolve(const RunRequest& request) {
  Plan plan;
  Resolver resolver(request, plan);
  for (const char* name : {"target", "workload", "consistency", "nodes", "store", "name"}) {
    if (auto read = resolver.read(plan_setting(name)); !read) return fail(read.error());
  }
  if (auto known = nodes::check_nodes(plan.nodes); !known) {
    return fail(resolver.at("nodes", known.error()));
  }
  const auto chosen = resolve_names(resolver, plan);
  if (!chosen) return fail(chosen.error());
  const auto& [target, workload] = *chosen;
  const Given* nemesis = resolver.find("nemesis");
  const std::vector<std::string> named = split(nemesis == nullptr ? "" : nemesis->text, ',');
  auto wanted = wanted_faults(nemesis == nullptr ? nullptr : &named, timeline_of(request));
  if (!wanted) {
    const auto timeline = request.settings.find("nemesis.timeline");
    if (nemesis != nullptr) return fail(wanted.error().during(nemesis->where()));
    return fail(timeline == request.settings.end() ? wanted.error() : wanted.error().during(timeline->second.where()));
  }
  plan.nemesis = std::move(wanted->names);
  if (plan.name.empty()) plan.name = plan.target + "-" + plan.workload;
  if (plan.name.find('/') != std::string::npos || plan.name.starts_with('.')) {
    const Error error{ErrorCode::usage, fmt::format("--name: \"{}\" cannot name a folder", plan.name)};
    return fail(resolver.at("name", error));
  }
  for (const char* folder : {"campaigns", "shrunk"}) {
    if (plan.name != folder) continue;
    const Error error{ErrorCode::usage,
                      fmt::format("--name: \"{}\" is a folder where the store keeps something else than runs", folder)};
    return fail(resolver.at("name", error));
  }
  plan.seed = std::random_device{}();
  // Durations before other numbers: the order of plan.json's origins.
  for (const bool durations : {true, false}) {
    for (const PlanSetting& setting : plan_settings()) {
      using Type = PlanSetting::Type;
      if (setting.type == Type::text || setting.type == Type::words) continue;
      if ((setting.type == Type::duration) != durations) continue;
      if (auto read = resolver.read(setting); !read) return fail(read.error());
    }
  }

  auto options = declared_options(plan.target, plan.workload, plan.nemesis);
  if (!options) return fail(options.error());
  plan.options = *std::move(options);
  if (wanted->only_applicable) (void)plan.options.set("nemesis.inapplicable", "skip", "--nemesis all");
  if (auto level = resolve_level(request, *workload, plan); !level) return fail(level.error());
  for (const auto& [key, given] : request.settings) {
    // A campaign of runs with and without faults says how the faults come for all of them.
    if (plan.nemesis.empty() && key.starts_with("nemesis.")) {
      if (auto known = is_of_the_schedule(key); !known) return fail(known.error().during(given.where()));
      continue;
    }
    if (auto set = plan.options.set(key, given.text, given.origin); !set)
      return fail(set.error().during(given.where()));
  }
  if (auto good = check_options(plan, *target, *workload); !good) {
    return fail(resolver.at_option(good.error(), "target"));
  }
  if (auto good = check_node_records(plan); !good) return fail(resolver.at_option(good.error(), "nodes"));
  return plan;
}

}  // namespace ordeal
