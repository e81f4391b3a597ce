#include "nemesis/engine/lanes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "base/names.h"
#include "nemesis/catalogue.h"
#include "nemesis/engine/timeline.h"
#include "nemesis/node_needs.h"

namespace ordeal {
namespace {

tl::unexpected<Error> usage(std::string message) { return fail(ErrorCode::usage, std::move(message)); }

// To look at all nodes, among them some that must be connected to first.
constexpr auto kLookTimeout = std::chrono::seconds(30);

// Why a fault cannot be injected here (usage: not as it was asked for; unsupported: not on these nodes), or nothing.
// Errors: of nodes that cannot be asked.
Result<std::optional<Error>> problem_of(const FaultFactory& fault, const FaultContext& context, NodeNeeds& nodes) {
  if (fault.inapplicable != nullptr) {
    if (std::string problem = fault.inapplicable(context); !problem.empty())
      return Error{ErrorCode::usage, std::move(problem)};
  }
  if (fault.needs == nullptr) return std::nullopt;
  auto missing = nodes.missing(fault.needs(context.options), std::chrono::steady_clock::now() + kLookTimeout);
  if (!missing) return fail(missing.error());
  if (missing->empty()) return std::nullopt;
  return Error{ErrorCode::unsupported, *std::move(missing)};
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
  Quiet out{options.quiet_every_s, options.quiet_s, -1};
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
                        std::vector<const FaultFactory*> wanted, NodeNeeds& nodes) {
  std::vector<const FaultFactory*> faults;
  std::optional<Error> first;
  for (const FaultFactory* fault : wanted) {
    const auto asked = problem_of(*fault, context, nodes);
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
                     const std::vector<const FaultFactory*>& faults, NodeNeeds& nodes) {
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
  const auto why_not = problem_of(*lane.fault, with_own, nodes);
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
                                                const std::vector<const FaultFactory*>& faults, NodeNeeds& nodes) {
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
    auto lane = lane_of(entry, times.size() + 1, context, faults, nodes);
    if (!lane) return fail(lane.error());
    lanes.all.push_back(*std::move(lane));
    times.push_back(
        {entry.at_s, entry.duration_s < 0 ? options.duration_s : entry.duration_s, entry.every_s, entry.times});
  }
  return times;
}

}  // namespace

Result<Lanes> make_lanes(const DriverOptions& options, const FaultContext& context,
                         const std::vector<const FaultFactory*>& faults) {
  auto kind = kind_of(options);
  if (!kind) return fail(kind.error());
  Lanes out{*kind, {}, Schedule(options.seed, 0, 0, 0), {}, {}, {}, {}};
  auto quiet = quiet_of(options);
  if (!quiet) return fail(quiet.error());
  out.quiet = *quiet;
  NodeNeeds nodes(context.cluster);
  if (out.kind == "scripted") {
    auto times = add_timeline(out, options, context, faults, nodes);
    if (!times) return fail(times.error());
    out.schedule = Schedule::scripted(options.seed, *std::move(times));
    return out;
  }
  if (auto added = add_faults(out, options, context, faults, nodes); !added) return fail(added.error());
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

std::vector<OptionSpec> nemesis_options() {
  using Type = OptionSpec::Type;
  const DriverOptions standard;
  return {
      {"nemesis.schedule",
       Type::string,
       "auto",
       "random: each fault again and again at drawn times; periodic: the faults take turns at fixed times; scripted: "
       "the "
       "timeline; auto: scripted when there is a timeline, else random",
       std::nullopt,
       std::nullopt,
       {"auto", "random", "periodic", "scripted"}},
      {"nemesis.timeline", Type::string, "",
       "JSON list of what is injected when: [{\"at\":5,\"fault\":\"kill\",\"duration\":3,\"nodes\":\"n1\"}]; further "
       "keys: "
       "every, times, when (a trigger), after, and the fault's options. In a campaign file: [[nemesis.timeline]]"},
      {"nemesis.trigger", Type::string, "",
       "what lanes wait for when their time has come: leader-change, log:REGEX, log@NODE:REGEX, operation:F, "
       "phase:main, "
       "phase:recovery (once, between the two others) or phase:final; for some faults only: "
       "\"kill=leader-change; pause=operation:cas\""},
      {"nemesis.swarm", Type::boolean, false,
       "swarm testing: each seed draws its own subset of the faults (each with probability one half), and for each how "
       "often and how long (factors between 1/2 and 2)"},
      {"nemesis.quiet", Type::duration, 0.0,
       "so long, at the end of each nemesis.quiet-every, no fault is in force; 0: no quiet times", 0.0, 1e6},
      {"nemesis.quiet-every", Type::duration, 0.0, "from the beginning of a quiet time to the next; 0: none", 0.0, 1e6},
      {"nemesis.quiet-end", Type::duration, 0.0, "the last part of the main phase, without faults", 0.0, 1e6},
      {"nemesis.recovery-bound", Type::duration, 0.0,
       "how long after the healing of a fault the clients may take to succeed again on every node; longer is the "
       "anomaly "
       "slow-recovery. 0: it is measured, not judged. Shorter than the operations' time-out is mostly unfair: a client "
       "that waits for an answer that was lost waits until then",
       0.0, 1e6},
      {"nemesis.inapplicable",
       Type::string,
       "refuse",
       "a fault that does not apply to this target and cluster: refuse the run, or skip the fault and say why (as "
       "--nemesis all does)",
       std::nullopt,
       std::nullopt,
       {"refuse", "skip"}},
      {"nemesis.quorum",
       Type::string,
       "keep",
       "keep: a fault waits while, together with those in force, it would leave no majority of nodes that can work "
       "(links "
       "that lose half of the packets, or delay them beyond an election timeout, or carry next to nothing count as "
       "cut); "
       "any: it does not wait",
       std::nullopt,
       std::nullopt,
       {"keep", "any"}},
      {"nemesis.dead-man", Type::integer, standard.dead_man_s,
       "seconds without a word from the controller after which a node undoes its faults by itself (up to one second "
       "later)",
       1, 3600},
      {"nemesis.patience", Type::real, 1.0,
       "times as long as usual each step of a fault may take, proof and healing included: for nodes that are slow or "
       "far away",
       1.0, 100.0},
  };
}

Result<WantedFaults> wanted_faults(const std::vector<std::string>* named, const std::string& timeline) {
  WantedFaults out;
  std::vector<std::string> names;
  for (const std::string& word : named == nullptr ? std::vector<std::string>() : *named) {
    if (word == "none") continue;
    if (word != "all") {
      names.push_back(word);
      continue;
    }
    out.only_applicable = true;
    for (const auto& fault : faults()) names.push_back(fault.name);
  }
  if (!timeline.empty() && (named == nullptr || !names.empty())) {
    auto entries = parse_timeline(timeline);
    if (!entries) return fail(entries.error());
    const auto scripted = timeline_faults(*entries);
    for (const auto& name : names) {
      if (std::find(scripted.begin(), scripted.end(), name) == scripted.end() && !out.only_applicable) {
        return usage(fmt::format("the timeline has no fault \"{}\", so it would never be injected", name));
      }
    }
    names = scripted;
    out.only_applicable = false;
  }
  for (const auto& name : names) {
    auto known = find_fault(name);
    if (!known) return fail(known.error());
    if (std::find(out.names.begin(), out.names.end(), name) == out.names.end()) out.names.push_back(name);
  }
  return out;
}

}  // namespace ordeal
