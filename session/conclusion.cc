#include "session/conclusion.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/names.h"
#include "base/text.h"
#include "nemesis/catalogue.h"
#include "reports/text.h"

namespace ordeal {
namespace {

constexpr std::size_t kLogLines = 3;
constexpr std::size_t kLongestText = 300;
// When more than one in so many operations was spoiled, nothing is claimed of the rest.
constexpr std::size_t kSpoiledPart = 4;
// When more client threads than a part of so many of the workers never came back, the rest saw too little.
constexpr std::size_t kStuckPart = 4;

// Whether even a sound target may give up under a fault of that name.
bool may_crash_under(const std::string& name) {
  const auto fault = find_fault(name);
  return fault && (*fault)->crashes;
}

std::int64_t integer_of(const Value& map, const char* key, std::int64_t otherwise) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_integer() ? found->integer() : otherwise;
}

// The outcome of a run of a version whose journals had no last record.
std::optional<RunEnd> end_of_outcome(const Value& outcome, double time_limit_s) {
  if (integer_of(outcome, "end_ns", -1) < 0) return std::nullopt;
  RunEnd end;
  end.main_s =
      static_cast<double>(integer_of(outcome, "main_end_ns", 0) - integer_of(outcome, "main_begin_ns", 0)) / 1e9;
  end.time_limit_s = time_limit_s;
  // It does not say whether the workload had a final phase at all.
  const Value* interrupted = outcome.find("interrupted");
  if (interrupted != nullptr && interrupted->is_boolean() && interrupted->boolean()) end.how = RunEnd::How::interrupted;
  for (const char* key : {"failure", "heal_failure", "recovery_failure"}) {
    const Value* message = outcome.find(key);
    if (message == nullptr || !message->is_string() || !end.failure.empty()) continue;
    end.how = RunEnd::How::failed;
    end.failure = message->string();
  }
  return end;
}

bool touches(const FaultRecord& fault, const std::string& node) {
  return fault.inject_ns >= 0 && (node.empty() || fault.nodes.empty() ||
                                  std::find(fault.nodes.begin(), fault.nodes.end(), node) != fault.nodes.end());
}

// The last fault on that node, before all others of the cluster; nullptr: none was injected at all.
const FaultRecord* last_fault(const std::vector<FaultRecord>& faults, const std::string& node) {
  const FaultRecord* out = nullptr;
  for (const bool own : {true, false}) {
    for (const auto& fault : faults) {
      if (!touches(fault, own ? node : "")) continue;
      if (out == nullptr || fault.inject_ns > out->inject_ns) out = &fault;
    }
    if (out != nullptr) break;
  }
  return out;
}

// The fault under which the node may have given up for good; nullptr: it had to survive them all.
const FaultRecord* excuse(const std::vector<FaultRecord>& faults, const std::string& node) {
  const auto found = std::find_if(faults.begin(), faults.end(), [&](const FaultRecord& fault) {
    return touches(fault, node) && may_crash_under(fault.fault);
  });
  return found == faults.end() ? nullptr : &*found;
}

// The fault on that node that may still have been in force, for all that was seen; nullptr: all were healed. Where to
// heal means to start the target, it was started, and that it does not run is no healing that failed.
const FaultRecord* unhealed(const std::vector<FaultRecord>& faults, const std::string& node) {
  const auto found = std::find_if(faults.begin(), faults.end(), [&](const FaultRecord& fault) {
    if (!touches(fault, node) || fault.heal_confirmed_ns >= 0) return false;
    const auto known = find_fault(fault.fault);
    return fault.heal_ns < 0 || !known || !(*known)->starts_again;
  });
  return found == faults.end() ? nullptr : &*found;
}

std::string who(const UnrecoveredNode& node) { return node.node.empty() ? "the target" : "node " + node.node; }

std::string what(const UnrecoveredNode& node) {
  return node.ended ? "no process of the system is left there"
                    : shortened(join(lines(node.problem), " "), kLongestText);
}

// A sentence for each of the last lines of each log of the node.
void quote_logs(const std::string& node, const std::vector<NodeLog>& logs, std::vector<std::string>& out) {
  for (const auto& log : logs) {
    if (!node.empty() && log.node != node) continue;
    auto all = lines(log.tail);
    if (all.empty()) continue;
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(std::min(all.size(), kLogLines)));
    for (const auto& line : all) out.push_back(fmt::format("{}: {}", log.file, shortened(line, kLongestText)));
  }
}

Anomaly unrecovered_anomaly(const Plan& plan, const UnrecoveredNode& node, const std::vector<FaultRecord>& faults,
                            const std::vector<NodeLog>& logs) {
  Anomaly out;
  out.type = "unrecovered";
  const FaultRecord* fault = last_fault(faults, node.node);
  if (fault == nullptr) {
    out.explanation = fmt::format("{} did not serve at the end of a run without faults, within {:g} s: {}", who(node),
                                  plan.recovery_s, what(node));
  } else {
    const std::string name = fmt::format("fault {} ({})", fault->id, fault->fault);
    out.explanation = fmt::format("{} did not serve again after {}, within {:g} s of the end of all healing: {}",
                                  who(node), name, plan.recovery_s, what(node));
    std::string told = fmt::format("{} on {} was injected at {:.3f} s", name,
                                   fault->nodes.empty() ? "the cluster" : joined(fault->nodes),
                                   static_cast<double>(fault->inject_ns) / 1e9);
    if (fault->heal_ns >= 0)
      told += fmt::format(", and its healing began at {:.3f} s", static_cast<double>(fault->heal_ns) / 1e9);
    out.sentences.push_back(std::move(told));
  }
  out.sentences.push_back(
      fmt::format("asked again, it said: {}", shortened(join(lines(node.problem), " "), kLongestText)));
  quote_logs(node.node, logs, out.sentences);
  return out;
}

// "interrupted after 3.01 of 60 s, no final reads"
std::string interruption(const RunEnd& end) {
  const bool early = end.main_s < end.time_limit_s - 0.05;
  std::string out = early ? fmt::format("interrupted after {:.3g} of {:g} s", end.main_s, end.time_limit_s)
                          : "interrupted after the main phase";
  if (end.final_phase == RunEnd::FinalPhase::left_out) out += ", no final reads";
  if (end.final_phase == RunEnd::FinalPhase::cut_short) out = "interrupted in the final phase";
  return out;
}

bool names(const Value& nemesis_plan, const char* member, const std::string& fault) {
  const Value* found = nemesis_plan.find(member);
  if (found == nullptr) return false;
  if (found->is_map()) return found->find(fault) != nullptr;
  return found->is_list() &&
         std::find(found->items().begin(), found->items().end(), Value(fault)) != found->items().end();
}

// The families that should have taken effect and were never seen to, with the numbers.
std::string without_effect(const Plan& plan, const Facts& facts) {
  const char* skip = "nemesis.inapplicable";
  const bool all = plan.options.has(skip) && plan.options.origin(skip) == "--nemesis all";
  std::vector<std::string> out;
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    if (kind.confirmed > 0 || std::find(plan.nemesis.begin(), plan.nemesis.end(), kind.fault) == plan.nemesis.end())
      continue;
    if (names(facts.nemesis_plan, "left_out_by_swarm", kind.fault) ||
        names(facts.nemesis_plan, "inapplicable", kind.fault) || (all && kind.tried == 0))
      continue;
    out.push_back(kind.planned == 0
                      ? fmt::format("{} (its turn never came)", kind.fault)
                      : fmt::format("{} ({} planned, {} injected)", kind.fault, kind.planned, kind.injected));
  }
  return join(out, ", ");
}

// Why what adapters in trouble left is too little to claim anything; empty: it is enough.
std::string spoiled(const Facts& facts) {
  std::vector<std::string> kinds;
  for (const AdapterTrouble& one : facts.troubles) {
    if (one.spoils) kinds.push_back(fmt::format("{} {}", one.kind, one.count));
  }
  const std::string why = join(kinds, ", ");
  if (facts.all.spoiled * kSpoiledPart > facts.all.total()) {
    return fmt::format("adapters in trouble spoiled {} of {} operations ({})", facts.all.spoiled, facts.all.total(),
                       why);
  }
  for (const auto& [f, counts] : facts.by_function) {
    if (counts.spoiled > 0 && counts.spoiled == counts.total()) {
      return fmt::format("adapters in trouble spoiled every {} ({} of them; {})", f, counts.spoiled, why);
    }
  }
  return "";
}

// What workers that were lost leave is less than was asked for; empty: none were.
std::string lost(const RunEnd& end) {
  if (end.lost_workers > 0) {
    return fmt::format("{} of {} workers never had a connection, or lost their thread", end.lost_workers, end.workers);
  }
  if (end.stuck_threads * kStuckPart > end.workers && end.stuck_threads > 0) {
    return fmt::format("{} client threads of {} workers never came back from a call", end.stuck_threads, end.workers);
  }
  return "";
}

}  // namespace

std::optional<RunEnd> end_of(const History& history, const Environment& environment) {
  for (EventIndex e = static_cast<EventIndex>(history.size()); e > 0; --e) {
    if (history.process(e - 1) != kNemesis) continue;
    if (auto end = RunEnd::from_value(history.values().to_value(history.value(e - 1)))) return end;
    break;
  }
  return environment.outcome ? end_of_outcome(*environment.outcome, 0) : std::nullopt;
}

std::optional<Error> failure_of(const std::optional<RunEnd>& end, const Environment& environment,
                                const std::vector<FaultRecord>& faults) {
  if (environment.failure) {
    if (environment.failure->code == ErrorCode::cancelled) return std::nullopt;
    return environment.failure;
  }
  if (!end) return std::nullopt;
  if (end->how == RunEnd::How::failed) return Error{ErrorCode::target, end->failure};
  for (const auto& node : end->unrecovered) {
    const FaultRecord* fault = unhealed(faults, node.node);
    if (fault == nullptr || excuse(faults, node.node) != nullptr) continue;
    return Error{ErrorCode::target,
                 fmt::format("{} did not serve again, and nobody saw that fault {} ({}) was healed there: {}",
                             who(node), fault->id, fault->fault, what(node))};
  }
  return std::nullopt;
}

std::optional<CheckResult> unrecovered_check(const Plan& plan, const RunEnd& end,
                                             const std::vector<FaultRecord>& faults, const std::vector<NodeLog>& logs) {
  CheckResult out;
  out.checker = "serves-again";
  out.algorithm = "asking the nodes";
  out.verdict = Verdict::invalid;
  for (const auto& node : end.unrecovered) {
    if (excuse(faults, node.node) != nullptr || unhealed(faults, node.node) != nullptr) continue;
    out.anomalies.push_back(unrecovered_anomaly(plan, node, faults, logs));
  }
  if (out.anomalies.empty()) return std::nullopt;
  return out;
}

std::string missing_events(const History& history) {
  for (EventIndex e = 0; e < static_cast<EventIndex>(history.size()); ++e) {
    const std::int64_t index = history.index(e);
    if (index == e) continue;
    const std::string found =
        e == 0 ? fmt::format("it begins with index {}", index) : fmt::format("after index {} comes {}", e - 1, index);
    return "history.jsonl is not as the run wrote it, " + found +
           ": events are missing or were moved, and nothing can be said of what is left";
  }
  return "";
}

std::string shortfall(const Plan& plan, const std::optional<RunEnd>& end, const Environment& environment,
                      const Facts& facts) {
  if (const auto failure = failure_of(end, environment, facts.faults)) return "the run failed: " + failure->message;
  if (environment.failure) return "interrupted before the first operation: " + environment.failure->message;
  if (!end && facts.all.total() == 0) return "the controller was killed before the first operation";
  if (!end) {
    return fmt::format(
        "the controller was killed {:.3g} s after the clients had begun, in a run of {:g} s: the "
        "journal has no record of its end",
        static_cast<double>(facts.end_ns) / 1e9, plan.time_limit_s);
  }
  if (end->how == RunEnd::How::interrupted) {
    RunEnd known = *end;
    known.time_limit_s = plan.time_limit_s;
    return interruption(known);
  }
  if (end->how == RunEnd::How::anomaly) {
    return fmt::format("it ended early, after {:.3g} of {:g} s, when an anomaly was seen while it ran", end->main_s,
                       plan.time_limit_s);
  }
  for (const auto& node : end->unrecovered) {
    if (const FaultRecord* fault = excuse(facts.faults, node.node)) {
      return fmt::format("{} did not serve again after fault {} ({}), which it need not survive: {}", who(node),
                         fault->id, fault->fault, what(node));
    }
  }
  if (std::string why = lost(*end); !why.empty()) return why;
  if (std::string why = spoiled(facts); !why.empty()) return why;
  if (facts.all.ok == 0) return "no operation succeeded, so nothing of value was observed";
  if (plan.nemesis.empty()) return "";
  if (facts.faults_confirmed == 0) {
    return fmt::format("no fault was seen to take effect ({} injected)", facts.faults_injected);
  }
  const std::string missing = without_effect(plan, facts);
  return missing.empty() ? "" : "never seen to take effect: " + missing;
}

}  // namespace ordeal
