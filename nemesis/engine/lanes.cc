#include "nemesis/engine/lanes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "base/names.h"
#include "nemesis/engine/timeline.h"

namespace ordeal {
namespace {

tl::unexpected<Error> usage(std::string message) { return fail(ErrorCode::usage, std::move(message)); }

// To look at all nodes, among them some that must be connected to first.
constexpr auto kLookTimeout = std::chrono::seconds(30);

// Why a fault cannot be injected here (usage: not as it was asked for; unsupported: not on these nodes), or nothing.
// Errors: of nodes that cannot be asked.
Result<std::optional<Error>> problem_of(const FaultFactory& fault, const FaultContext& context,
                                        const MissingNeeds& missing) {
  if (fault.inapplicable != nullptr) {
    if (std::string problem = fault.inapplicable(context); !problem.empty())
      return Error{ErrorCode::usage, std::move(problem)};
  }
  if (fault.needs == nullptr) return std::nullopt;
  auto lacking = missing(fault.needs(context.options), Deadline::after(kLookTimeout));
  if (!lacking) return fail(lacking.error());
  if (lacking->empty()) return std::nullopt;
  return Error{ErrorCode::unsupported, *std::move(lacking)};
}

// nemesis.schedule, "auto" resolved. Errors: usage.
Result<std::string> kind_of(const DriverOptions& options) {
  const bool timeline = !options.timeline.empty();
  if (options.schedule == "auto") return std::string(timeline ? "scripted" : "random");
  if (options.schedule == "scripted" && !timeline) {
    return usage(
        "nemesis.schedule=scripted needs a timeline (nemesis.timeline, or [[nemesis.timeline]] in a campaign file)");
  }
  if (options.schedule != "scripted" && timeline) {
    return usage(fmt::format("nemesis.timeline is played by nemesis.schedule=scripted, not by {}", options.schedule));
  }
  return options.schedule;
}

Result<Quiet> quiet_of(const DriverOptions& options) {
  if ((options.quiet_s > 0) != (options.quiet_every_s > 0)) {
    return usage("nemesis.quiet and nemesis.quiet-every belong together: so long, every so often");
  }
  if (options.quiet_s > 0 && options.quiet_every_s < options.quiet_s + 2) {
    return usage(fmt::format("nemesis.quiet-every={} s leaves no time for faults beside nemesis.quiet={} s",
                             options.quiet_every_s, options.quiet_s));
  }
  Quiet out{options.quiet_every_s, options.quiet_s, -1, options.time_limit_s > 0 ? options.time_limit_s : -1};
  if (options.quiet_end_s > 0 && options.time_limit_s > 0) {
    if (options.quiet_end_s + 1 >= options.time_limit_s) {
      return usage(fmt::format("nemesis.quiet-end={} s leaves no time for faults in a run of {} s", options.quiet_end_s,
                               options.time_limit_s));
    }
    out.from_s = options.time_limit_s - options.quiet_end_s;
  }
  return out;
}

// Faults in lanes of their own, by chance or in turns.
Result<void> add_faults(Lanes& lanes, const DriverOptions& options, const FaultContext& context,
                        std::vector<const FaultFactory*> wanted, const MissingNeeds& missing) {
  std::vector<const FaultFactory*> faults;
  std::optional<Error> first;
  for (const FaultFactory* fault : wanted) {
    const auto asked = problem_of(*fault, context, missing);
    if (!asked) return fail(asked.error());
    const std::optional<Error>& problem = *asked;
    if (!problem) {
      faults.push_back(fault);
      continue;
    }
    lanes.inapplicable.emplace_back(fault->name, problem->message);
    if (!first) first = problem->during("fault " + fault->name);
  }
  if (first && (!options.skip_inapplicable || faults.empty())) return fail(*first);
  if (options.swarm) {
    std::vector<std::string> names;
    for (const FaultFactory* fault : faults) names.push_back(fault->name);
    const Swarm swarm = draw_swarm(options.seed, names);
    std::vector<const FaultFactory*> chosen;
    for (std::size_t i = 0; i < faults.size(); ++i) {
      if (swarm.chosen[i]) {
        chosen.push_back(faults[i]);
        lanes.intensities.push_back(swarm.intensities[i]);
      } else {
        lanes.left_out.push_back(names[i]);
      }
    }
    faults = std::move(chosen);
  }
  const std::shared_ptr<const Options> borrowed(std::shared_ptr<const Options>(), &context.options);
  for (const FaultFactory* fault : faults) lanes.all.push_back({fault, borrowed, std::nullopt, 0});
  return {};
}

Result<void> add_triggers(Lanes& lanes, const DriverOptions& options, const FaultContext& context) {
  auto triggers = parse_lane_triggers(options.trigger);
  if (!triggers) return fail(triggers.error());
  for (const auto& [name, trigger] : *triggers) {
    if (const std::string problem = trigger_problem(trigger, context); !problem.empty()) return usage(problem);
    bool any = name.empty();
    for (Lane& lane : lanes.all) {
      if (!name.empty() && lane.fault->name != name) continue;
      lane.trigger = trigger;
      any = true;
    }
    const bool skipped = std::find(lanes.left_out.begin(), lanes.left_out.end(), name) != lanes.left_out.end();
    if (!any && !skipped) return usage(fmt::format("nemesis.trigger: \"{}\" is none of the faults of this run", name));
  }
  return {};
}

Result<Lane> lane_of(const TimelineEntry& entry, std::size_t number, const FaultContext& context,
                     const std::vector<const FaultFactory*>& faults, const MissingNeeds& missing) {
  const auto where = [&] { return fmt::format("nemesis.timeline, entry {} ({})", number, entry.fault); };
  Lane lane;
  for (const FaultFactory* fault : faults) {
    if (fault->name == entry.fault) lane.fault = fault;
  }
  if (lane.fault == nullptr) return usage(where() + ": the plan does not have this fault");
  auto own = std::make_shared<Options>(context.options);
  for (const auto& [key, text] : entry.options) {
    if (auto set = own->set(key, text, "timeline"); !set) return fail(set.error().during(where()));
  }
  FaultContext with_own{context.cluster, context.target, *own, context.id, {}, context.seed};
  const auto why_not = problem_of(*lane.fault, with_own, missing);
  if (!why_not) return fail(why_not.error());
  if (*why_not) return fail((*why_not)->during(where()));
  lane.options = std::move(own);
  lane.after_s = entry.after_s;
  if (entry.when.empty()) return lane;
  auto trigger = parse_trigger(entry.when);
  if (!trigger) return fail(trigger.error().during(where()));
  if (const std::string problem = trigger_problem(*trigger, context); !problem.empty())
    return usage(where() + ": " + problem);
  lane.trigger = *std::move(trigger);
  return lane;
}

Result<std::vector<ScriptedTimes>> add_timeline(Lanes& lanes, const DriverOptions& options, const FaultContext& context,
                                                const std::vector<const FaultFactory*>& faults,
                                                const MissingNeeds& missing) {
  auto timeline = parse_timeline(options.timeline);
  if (!timeline) return fail(timeline.error());
  if (options.swarm) return usage("nemesis.swarm draws among lanes; a timeline says itself what is injected");
  if (!options.trigger.empty()) return usage("nemesis.trigger is for lanes; in a timeline say `when`");
  std::vector<ScriptedTimes> times;
  for (const TimelineEntry& entry : *timeline) {
    if (options.time_limit_s > 0 && entry.at_s >= options.time_limit_s) {
      return usage(fmt::format("nemesis.timeline, entry {} ({}): it begins at {} s, but the run is over after {} s",
                               times.size() + 1, entry.fault, entry.at_s, options.time_limit_s));
    }
    if (options.time_limit_s > 0 && entry.when.empty() && entry.at_s + 1 > options.time_limit_s) {
      return usage(fmt::format(
          "nemesis.timeline, entry {} ({}): it begins at {} s, but nothing is injected in the last second of {} s",
          times.size() + 1, entry.fault, entry.at_s, options.time_limit_s));
    }
    auto lane = lane_of(entry, times.size() + 1, context, faults, missing);
    if (!lane) return fail(lane.error());
    lanes.all.push_back(*std::move(lane));
    times.push_back(
        {entry.at_s, entry.duration_s < 0 ? options.duration_s : entry.duration_s, entry.every_s, entry.times});
  }
  return times;
}

}  // namespace

Result<Lanes> make_lanes(const DriverOptions& options, const FaultContext& context,
                         const std::vector<const FaultFactory*>& faults, const MissingNeeds& missing) {
  auto kind = kind_of(options);
  if (!kind) return fail(kind.error());
  Lanes out{*kind, {}, Schedule(options.seed, 0, 0, 0), {}, {}, {}, {}};
  auto quiet = quiet_of(options);
  if (!quiet) return fail(quiet.error());
  out.quiet = *quiet;
  if (out.kind == "scripted") {
    auto times = add_timeline(out, options, context, faults, missing);
    if (!times) return fail(times.error());
    out.schedule = Schedule::scripted(options.seed, *std::move(times));
    return out;
  }
  if (auto added = add_faults(out, options, context, faults, missing); !added) return fail(added.error());
  if (auto added = add_triggers(out, options, context); !added) return fail(added.error());
  const std::size_t count = out.all.size();
  out.schedule = out.kind == "periodic"
                     ? Schedule::periodic(options.seed, count, options.interval_s, options.duration_s, out.intensities)
                     : Schedule(options.seed, count, options.interval_s, options.duration_s, out.intensities);
  return out;
}

Value Lanes::describe() const {
  Value out = Value::map({{"step", "plan"}, {"schedule", kind}});
  Value list = Value::list();
  for (std::size_t i = 0; i < all.size(); ++i) {
    Value one = Value::map({{"fault", all[i].fault->name}});
    if (all[i].trigger) one.set("when", all[i].trigger->text);
    if (const auto first = schedule.slot(i, 0); first && first->at_s >= 0) one.set("at_s", first->at_s);
    if (!intensities.empty()) {
      one.set("interval_factor", intensities[i].interval);
      one.set("duration_factor", intensities[i].duration);
    }
    list.items().push_back(std::move(one));
  }
  out.set("lanes", std::move(list));
  if (!left_out.empty()) {
    Value names = Value::list();
    for (const auto& name : left_out) names.items().emplace_back(name);
    out.set("left_out_by_swarm", std::move(names));
  }
  if (!inapplicable.empty()) {
    Value reasons = Value::map();
    for (const auto& [name, reason] : inapplicable) reasons.set(name, reason);
    out.set("inapplicable", std::move(reasons));
  }
  if (quiet.every_s > 0) out.set("quiet", Value::map({{"every_s", quiet.every_s}, {"length_s", quiet.length_s}}));
  if (quiet.from_s >= 0) out.set("quiet_from_s", quiet.from_s);
  return out;
}

}  // namespace ordeal
