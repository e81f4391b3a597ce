// results.json: the verdict and everything it rests on, for programs.
#include <utility>

#include "reports/facts.h"
#include "reports/report.h"

namespace ordeal {
namespace {

Value counts_value(const OutcomeCounts& counts) {
  Value out = Value::map();
  out.set("total", static_cast<std::int64_t>(counts.total()));
  out.set("ok", static_cast<std::int64_t>(counts.ok));
  out.set("fail", static_cast<std::int64_t>(counts.fail));
  out.set("info", static_cast<std::int64_t>(counts.info));
  return out;
}

// The record, and whether it counts.
Value fault_value(const FaultRecord& fault) {
  Value out = to_value(fault);
  out.set("confirmed", fault.confirmed_ns >= 0);
  out.set("heal_confirmed", fault.heal_confirmed_ns >= 0);
  return out;
}

}  // namespace

Value results_value(const ReportInput& input) {
  const Facts facts = facts_of(input);
  Value out = Value::map();
  out.set("verdict", name(input.verdict));
  if (!input.reason.empty()) out.set("reason", input.reason);
  if (!input.failure.empty()) out.set("error", input.failure);
  out.set("summary", verdict_sentence(input, facts));
  if (!input.promise.empty()) out.set("promise", input.promise);
  out.set("title", input.title);
  out.set("started", input.started_utc);
  out.set("duration_s", static_cast<double>(facts.end_ns) / 1e9);
  out.set("command", input.command);
  Value operations = counts_value(facts.all);
  Value functions = Value::map();
  for (const auto& [f, counts] : facts.by_function) functions.set(f, counts_value(counts));
  operations.set("by_f", std::move(functions));
  out.set("operations", std::move(operations));
  out.set("keys", static_cast<std::int64_t>(facts.keys));
  Value checks = Value::list();
  for (const CheckResult& result : input.results) checks.items().push_back(to_value(result, *input.history));
  out.set("checks", std::move(checks));
  if (!facts.troubles.empty()) {
    Value adapters = Value::map();
    for (const AdapterTrouble& trouble : facts.troubles) {
      Value one = Value::map({{"count", static_cast<std::int64_t>(trouble.count)}});
      one.set("operations", trouble.spoils ? static_cast<std::int64_t>(trouble.count) : std::int64_t{0});
      one.set("first", Value::map({{"index", input.history->index(trouble.first)}, {"message", trouble.message}}));
      adapters.set(trouble.kind, std::move(one));
    }
    out.set("adapters", std::move(adapters));
  }
  Value kinds = Value::map();
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    Value one = Value::map();
    one.set("planned", static_cast<std::int64_t>(kind.planned));
    one.set("injected", static_cast<std::int64_t>(kind.injected));
    one.set("confirmed", static_cast<std::int64_t>(kind.confirmed));
    one.set("healed", static_cast<std::int64_t>(kind.healed));
    if (kind.lifted > 0) one.set("lifted", static_cast<std::int64_t>(kind.lifted));
    one.set("attempted", static_cast<std::int64_t>(kind.attempted));
    one.set("succeeded", static_cast<std::int64_t>(kind.succeeded));
    kinds.set(kind.fault, std::move(one));
  }
  out.set("fault_kinds", std::move(kinds));
  Value faults = Value::list();
  for (const FaultRecord& fault : facts.faults) faults.items().push_back(fault_value(fault));
  out.set("faults", std::move(faults));
  if (!facts.nemesis_plan.is_nil()) out.set("nemesis_plan", facts.nemesis_plan);
  if (facts.recovery.measured) {
    Value recovery = Value::map({{"summary", facts.recovery.summary}});
    for (const CheckResult& result : input.results) {
      if (result.checker != "recovery") continue;
      for (const auto& [key, value] : result.details.entries()) recovery.set(key, value);
    }
    out.set("recovery", std::move(recovery));
  }
  Value limits = Value::list();
  for (const std::string& sentence : limits_of(input, facts)) limits.items().emplace_back(sentence);
  out.set("cannot_show", std::move(limits));
  out.set("environment", input.environment);
  return out;
}

}  // namespace ordeal
