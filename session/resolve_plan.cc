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
#include "targets/catalogue.h"
#include "workloads/catalogue.h"

namespace ordeal::cli {
namespace {

// What nemesis.timeline of these settings says; empty: nothing.
std::string timeline_of(const RunRequest& request) {
  const auto found = request.settings.find("nemesis.timeline");
  return found == request.settings.end() ? "" : found->second.text;
}

// Operations that the workload issues and the target's clients, who understand `operations`, do not know.
Result<void> fits(const TargetFactory& target, const std::vector<std::string>& operations,
                  const WorkloadFactory& workload) {
  const auto understood = [&](const std::string& f) {
    return std::find(operations.begin(), operations.end(), f) != operations.end();
  };
  std::vector<std::string> missing;
  for (const auto& f : workload.operations) {
    if (!understood(f)) missing.push_back(f);
  }
  if (missing.empty()) return {};
  std::vector<std::string> others;
  for (const auto& one : workloads()) {
    if (std::all_of(one.operations.begin(), one.operations.end(), understood)) others.push_back(one.name);
  }
  return fail(ErrorCode::usage,
              fmt::format("workload {} needs operations that target {} does not have: {}. Workloads for {}: {}.",
                          workload.name, target.name, joined(missing), target.name, joined(others)));
}

class Resolver {
 public:
  Resolver(const RunRequest& request, Plan& plan) : request_(request), plan_(plan) {}

  void text(const char* flag, std::string& out) {
    if (const Given* given = find(flag)) out = given->text;
  }
  Result<void> seconds(const char* flag, double& out, double least, double most) {
    const Given* given = find(flag);
    if (given == nullptr) return {};
    const auto parsed = parse_duration(given->text);
    if (!parsed) return fail(parsed.error().during(given->origin));
    if (*parsed < least || *parsed > most) {
      return fail(ErrorCode::usage, fmt::format("{}: {} is out of range; it must be at least {} and at most {} seconds",
                                                given->origin, given->text, least, most));
    }
    out = *parsed;
    return {};
  }
  template <class Integer>
  Result<void> integer(const char* flag, Integer& out, Integer least, Integer most) {
    const Given* given = find(flag);
    if (given == nullptr) return {};
    Integer value{};
    const char* end = given->text.data() + given->text.size();
    const auto [stop, error] = std::from_chars(given->text.data(), end, value);
    if (error != std::errc() || stop != end || value < least || value > most) {
      return fail(ErrorCode::usage, fmt::format("{}: a whole number from {} to {} was expected, found \"{}\"",
                                                given->origin, least, most, given->text));
    }
    out = value;
    return {};
  }
  Result<void> rate(double& out) {
    const Given* given = find("rate");
    if (given == nullptr) return {};
    if (given->text == "unlimited" || given->text == "0") {
      out = 0;
      return {};
    }
    const char* end = given->text.data() + given->text.size();
    const auto [stop, error] = std::from_chars(given->text.data(), end, out);
    if (error != std::errc() || stop != end || !(out > 0) || out > 1e9) {
      return fail(ErrorCode::usage, fmt::format("{}: operations a second or \"unlimited\" was expected, found \"{}\"",
                                                given->origin, given->text));
    }
    return {};
  }
  const Given* find(const char* flag) {
    const auto found = request_.flags.find(flag);
    plan_.origins.set(flag, found == request_.flags.end() ? "default" : found->second.origin);
    return found == request_.flags.end() ? nullptr : &found->second;
  }

 private:
  const RunRequest& request_;
  Plan& plan_;
};

}  // namespace

Result<std::vector<RunRequest>> requests(const RunCommand& command) {
  std::vector<RunRequest> runs(1);
  if (!command.campaign.empty()) {
    auto read = read_campaign(command.campaign);
    if (!read) return fail(read.error());
    runs = *std::move(read);
  }
  const std::pair<const char*, const std::optional<std::string>*> flags[] = {
      {"target", &command.target},
      {"workload", &command.workload},
      {"nemesis", &command.nemesis},
      {"nodes", &command.nodes},
      {"rate", &command.rate},
      {"time-limit", &command.time_limit},
      {"concurrency", &command.concurrency},
      {"seed", &command.seed},
      {"store", &command.store},
      {"name", &command.name},
      {"op-timeout", &command.op_timeout},
      {"nemesis-interval", &command.nemesis_interval},
      {"nemesis-duration", &command.nemesis_duration},
      {"recovery", &command.recovery},
  };
  for (RunRequest& run : runs) {
    for (const auto& [name, value] : flags) {
      if (*value) run.flags[name] = Given{**value, std::string("--") + name};
    }
    for (const auto& setting : command.settings) {
      auto pair = key_value(setting);
      if (!pair) return fail(pair.error());
      run.settings[pair->first] = Given{pair->second, "--set"};
    }
  }
  return runs;
}

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

Result<Plan> resolve(const RunRequest& request) {
  Plan plan;
  Resolver resolver(request, plan);
  resolver.text("target", plan.target);
  resolver.text("workload", plan.workload);
  resolver.text("nodes", plan.nodes);
  if (auto known = nodes::check_nodes(plan.nodes); !known) {
    return fail(known.error());
  }
  resolver.text("store", plan.store);
  resolver.text("name", plan.name);
  if (plan.target.empty()) {
    std::vector<std::string> known;
    for (const auto& one : targets()) known.push_back(one.name);
    return fail(ErrorCode::usage, "no target: say --target; known: " + joined(known));
  }
  const auto target = find_target(plan.target);
  if (!target) return fail(target.error());
  if (plan.workload.empty()) plan.workload = "register";
  const auto workload = find_workload(plan.workload);
  if (!workload) return fail(workload.error());
  // A target that learns its operations from its options (an adapter tells which it knows) is looked at below.
  const bool by_options = (*target)->operations_with != nullptr;
  if (!by_options) {
    if (auto fit = fits(**target, (*target)->operations, **workload); !fit) return fail(fit.error());
  }
  const Given* nemesis = resolver.find("nemesis");
  const std::vector<std::string> named = split(nemesis == nullptr ? "" : nemesis->text, ',');
  auto wanted = wanted_faults(nemesis == nullptr ? nullptr : &named, timeline_of(request));
  if (!wanted) return fail(nemesis == nullptr ? wanted.error() : wanted.error().during(nemesis->origin));
  plan.nemesis = std::move(wanted->names);
  if (plan.name.empty()) plan.name = plan.target + "-" + plan.workload;
  if (plan.name.find('/') != std::string::npos || plan.name.starts_with('.')) {
    return fail(ErrorCode::usage, fmt::format("--name: \"{}\" cannot name a folder", plan.name));
  }
  Result<void> done = resolver.seconds("time-limit", plan.time_limit_s, 0.1, 1e7);
  const auto next = [&](Result<void> step) {
    if (done) done = std::move(step);
  };
  next(resolver.seconds("op-timeout", plan.op_timeout_s, 0.001, 3600));
  next(resolver.seconds("nemesis-interval", plan.nemesis_interval_s, 0, 1e6));
  next(resolver.seconds("nemesis-duration", plan.nemesis_duration_s, 0.1, 1e6));
  next(resolver.seconds("recovery", plan.recovery_s, 0, 1e6));
  next(resolver.rate(plan.rate));
  next(resolver.integer("concurrency", plan.concurrency, 1, kMaxConcurrency));
  plan.seed = std::random_device{}();
  next(resolver.integer<std::uint64_t>("seed", plan.seed, 0, ~std::uint64_t{0}));
  if (!done) return fail(done.error());

  auto options = declared_options(plan.target, plan.workload, plan.nemesis);
  if (!options) return fail(options.error());
  plan.options = *std::move(options);
  if (wanted->only_applicable) (void)plan.options.set("nemesis.inapplicable", "skip", "--nemesis all");
  for (const auto& [key, given] : request.settings) {
    // A campaign of runs with and without faults says how the faults come for all of them.
    if (plan.nemesis.empty() && key.starts_with("nemesis.")) continue;
    if (auto set = plan.options.set(key, given.text, given.origin); !set) return fail(set.error().during(given.origin));
  }
  if (by_options) {
    const auto operations = (*target)->operations_with(plan.options);
    if (!operations) return fail(operations.error());
    if (auto fit = fits(**target, *operations, **workload); !fit) return fail(fit.error());
  }
  return plan;
}

}  // namespace ordeal::cli
