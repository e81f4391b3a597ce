#include "reports/facts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "harness/store/run_end.h"
#include "reports/text.h"

namespace ordeal {
namespace {

std::string member_text(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found == nullptr ? "" : plain_text(*found);
}

// Faults in histories of other tools, which only name what the nemesis did: start-partition … stop-partition,
// pause … resume, kill … start. They write each step twice (asked for, done), both with type info.
class ForeignFaults {
 public:
  void event(std::string_view f, std::int64_t time, const Value& value) {
    const bool done = f == last_;  // the second of the two
    last_ = done ? "" : f;
    const std::string kind = closes(f);
    if (!kind.empty()) {
      FaultRecord& record = records_[open_.at(kind)];
      (done ? record.healed_ns : record.heal_ns) = time;
      if (done) open_.erase(kind);
      return;
    }
    if (f.starts_with("stop") || f == "resume") return;
    const std::string name = f == "start" ? "fault" : std::string(f.starts_with("start-") ? f.substr(6) : f);
    if (!open_.contains(name)) {
      open_[name] = records_.size();
      records_.emplace_back();
      records_.back().id = static_cast<int>(records_.size());
      records_.back().fault = name;
      records_.back().inject_ns = time;
    } else {
      records_[open_[name]].injected_ns = time;
    }
    if (!value.is_nil()) records_[open_[name]].description = value;
  }
  [[nodiscard]] std::vector<FaultRecord> take() { return std::move(records_); }

 private:
  // The open fault that this step ends, "" when it ends none.
  [[nodiscard]] std::string closes(std::string_view f) const {
    std::string kind;
    if (f == "resume")
      kind = "pause";
    else if (f == "start")
      kind = "kill";
    else if (f == "stop")
      kind = "fault";
    else if (f.starts_with("stop-"))
      kind = f.substr(5);
    return open_.contains(kind) ? kind : "";
  }
  std::vector<FaultRecord> records_;
  std::map<std::string, std::size_t> open_;
  std::string last_;
};

// What clients did while a fault of each kind was in force.
void count_operations_under_faults(const History& history, Facts& facts) {
  if (!facts.timed || facts.faults.empty()) return;
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> successes;
  for (const OperationEvents op : facts.operations) {
    begins.push_back(history.time(op.invocation));
    if (op.completion == kNoEvent) continue;
    ends.push_back(history.time(op.completion));
    if (history.outcome(op) == EventType::ok) successes.push_back(ends.back());
  }
  for (auto* times : {&begins, &ends, &successes}) std::sort(times->begin(), times->end());
  // How many of the times are before `t`, or at it.
  const auto before = [](const std::vector<std::int64_t>& times, std::int64_t t) {
    return static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), t) - times.begin());
  };
  for (const FaultRecord& fault : facts.faults) {
    const Span span = in_force(fault, facts.end_ns);
    const auto kind = std::find_if(facts.fault_kinds.begin(), facts.fault_kinds.end(),
                                   [&](const FaultKindCounts& one) { return one.fault == fault.fault; });
    if (span.from < 0 || kind == facts.fault_kinds.end()) continue;
    kind->attempted += before(begins, span.to + 1) - before(ends, span.from);
    kind->succeeded += before(successes, span.to + 1) - before(successes, span.from);
  }
}

void count_faults(const Value& plan, Facts& facts) {
  std::map<std::string, FaultKindCounts> kinds;
  if (const Value* named = plan.find("nemesis"); named != nullptr && named->is_list()) {
    for (const Value& fault : named->items()) kinds[plain_text(fault)].fault = plain_text(fault);
  }
  for (const FaultRecord& fault : facts.faults) {
    FaultKindCounts& kind = kinds[fault.fault];
    kind.fault = fault.fault;
    ++kind.planned;
    if (fault.inject_ns >= 0 || fault.injected_ns >= 0 || !fault.error.empty()) ++kind.tried;
    // A record without the second step and without an error is another tool's, or its controller was killed.
    if (fault.injected_ns >= 0 || (fault.inject_ns >= 0 && fault.error.empty())) {
      ++kind.injected;
      ++facts.faults_injected;
    }
    if (fault.confirmed_ns >= 0) {
      ++kind.confirmed;
      ++facts.faults_confirmed;
    }
    if (fault.heal_confirmed_ns >= 0) ++kind.healed;
    if (fault.lifted_ns >= 0) ++kind.lifted;
  }
  for (auto& [name, kind] : kinds) facts.fault_kinds.push_back(std::move(kind));
}

}  // namespace

namespace {

double real_of(const Value& map, const char* key, double otherwise) {
  const Value* found = map.find(key);
  return found != nullptr && (found->is_real() || found->is_integer()) ? found->real() : otherwise;
}

std::string text_of_seconds(double s) { return duration_text(static_cast<std::int64_t>(s * 1e9)); }

Recovery recovery_of(const std::vector<CheckResult>& results) {
  Recovery out;
  const auto checked =
      std::find_if(results.begin(), results.end(), [](const CheckResult& one) { return one.checker == "recovery"; });
  const Value* heals = checked == results.end() ? nullptr : checked->details.find("heals");
  if (heals == nullptr || !heals->is_list() || heals->items().empty()) return out;
  out.measured = true;
  std::size_t never = 0;
  for (const Value& heal : heals->items()) {
    const Value* id = heal.find("id");
    if (id == nullptr || !id->is_integer()) continue;
    const double took = real_of(heal, "took_s", -1);
    std::string& text = out.served[id->integer()];
    text = took >= 0 ? "after " + text_of_seconds(took) : "not by all nodes";
    never += took < 0 ? 1 : 0;
    for (const char* remark : {"verdict", "meanwhile"}) {
      const std::string said = member_text(heal, remark);
      if (!said.empty()) text += "; " + said;
    }
  }
  const double slowest = real_of(checked->details, "slowest_s", -1);
  const double bound = real_of(checked->details, "bound_s", 0);
  if (slowest >= 0) {
    const auto id = static_cast<std::int64_t>(real_of(checked->details, "slowest_fault", 0));
    out.summary =
        fmt::format("all nodes served again at most {} after a healing (fault {})", text_of_seconds(slowest), id);
  }
  if (never > 0) {
    out.summary += fmt::format("{}after {} of {} not all nodes did until the run ended",
                               out.summary.empty() ? "" : "; ", never, counted(heals->items().size(), "healing"));
  }
  out.summary += bound > 0 ? fmt::format("; the bound is {}, and {} of {} could be judged", text_of_seconds(bound),
                                         static_cast<std::size_t>(real_of(checked->details, "judged", 0)),
                                         counted(heals->items().size(), "healing"))
                           : "; no bound was set";
  return out;
}

// What a run was ended by (doc/formats.md) is no fault.
bool is_sighting(const Value& value) { return member_text(value, "step") == "anomaly" && value.find("id") == nullptr; }

}  // namespace

std::vector<FaultRecord> faults_in(const History& history) {
  auto own = fault_records(history);
  if (!own.empty()) return own;
  ForeignFaults foreign;
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.process(e) != kNemesis) continue;
    const Value value = history.values().to_value(history.value(e));
    if (is_nemesis_plan(value) || is_sighting(value) || RunEnd::from_value(value)) continue;
    foreign.event(history.f_name(e), history.time(e), value);
  }
  return foreign.take();
}

std::vector<ClockSample> clocks_in(const History& history) {
  std::vector<ClockSample> out;
  std::map<int, std::set<std::string>> measured;  // nodes, by injection
  for (EventIndex e = 0; e < history.size(); ++e) {
    const auto event = fault_event(history, e);
    if (!event) continue;
    if (event->step == FaultStep::recovered) {
      for (const std::string& node : measured[event->id]) out.push_back({node, event->time_ns, 0});
    }
    const Value* values = event->step == FaultStep::measured ? event->value.find("values") : nullptr;
    const Value* offsets = values == nullptr ? nullptr : values->find("offset_s");
    if (offsets == nullptr || !offsets->is_map()) continue;
    for (const auto& [node, offset] : offsets->entries()) {
      if (!offset.is_real() && !offset.is_integer()) continue;
      const double seconds = offset.is_real() ? offset.real() : static_cast<double>(offset.integer());
      out.push_back({plain_text(node), event->time_ns, std::llround(seconds * 1e9)});
      measured[event->id].insert(plain_text(node));
    }
  }
  return out;
}

Span in_force(const FaultRecord& fault, std::int64_t end_ns) {
  Span span;
  span.from = fault.inject_ns >= 0 ? fault.inject_ns : fault.injected_ns;
  if (span.from < 0) return span;
  span.to = fault.healed_ns >= 0 ? fault.healed_ns : fault.heal_confirmed_ns;
  if (span.to < 0) span.to = std::max(span.from, end_ns);
  return span;
}

Facts facts_of(const ReportInput& input) {
  ORDEAL_CHECK(input.history != nullptr, "a report needs a history");
  const History& history = *input.history;
  Facts facts;
  facts.operations = history.operations();
  std::map<std::string, OutcomeCounts> functions;
  std::vector<bool> keys(history.values().size(), false);
  std::vector<OutcomeCounts> by_id(history.functions().size());
  for (const OperationEvents op : facts.operations) {
    const EventType outcome = history.outcome(op);
    facts.all.add(outcome);
    OutcomeCounts& of_function = by_id[history.f(op.invocation)];
    of_function.add(outcome);
    const EventError* error = op.completion == kNoEvent ? nullptr : history.error(op.completion);
    if (error != nullptr && spoils(trouble_in(*error))) {
      ++facts.all.spoiled;
      ++of_function.spoiled;
    }
    const ValueId key = history.key(op.invocation);
    if (key != kAbsent) keys[key] = true;
  }
  for (std::size_t f = 0; f < by_id.size(); ++f) {
    if (by_id[f].total() > 0) functions[history.functions()[f]] = by_id[f];
  }
  facts.by_function.assign(functions.begin(), functions.end());
  facts.keys = static_cast<std::size_t>(std::count(keys.begin(), keys.end(), true));
  facts.troubles = adapter_troubles(history, facts.operations);
  for (const AdapterTrouble& one : facts.troubles) facts.troubles_told.push_back(sentence_of(one, history));
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.time(e) < 0) continue;
    facts.timed = true;
    facts.end_ns = std::max(facts.end_ns, history.time(e));
  }
  facts.end_ns = std::max(facts.end_ns, static_cast<std::int64_t>(input.duration_s * 1e9));
  facts.faults = input.faults.empty() ? faults_in(history) : input.faults;
  std::stable_sort(facts.faults.begin(), facts.faults.end(), [](const FaultRecord& a, const FaultRecord& b) {
    // What was planned and never injected comes where it was planned.
    const std::int64_t a_ns = a.inject_ns >= 0 ? a.inject_ns : a.planned_ns;
    const std::int64_t b_ns = b.inject_ns >= 0 ? b.inject_ns : b.planned_ns;
    return std::tie(a_ns, a.id) < std::tie(b_ns, b.id);
  });
  count_faults(input.plan, facts);
  count_operations_under_faults(history, facts);
  facts.recovery = recovery_of(input.results);
  facts.nemesis_plan = nemesis_plan(history);
  facts.clocks = input.clocks.empty() ? clocks_in(history) : input.clocks;
  return facts;
}

namespace {

std::string verdict_words(const ReportInput& input, const Facts& facts) {
  if (input.verdict == Verdict::unknown) {
    if (!input.reason.empty()) return input.reason;
    for (const CheckResult& result : input.results) {
      if (result.verdict == Verdict::unknown && !result.reason.empty()) return result.checker + ": " + result.reason;
    }
    return "No checker could decide.";
  }
  if (input.verdict == Verdict::invalid) {
    for (const CheckResult& result : input.results) {
      for (const Anomaly& anomaly : result.anomalies) {
        if (!anomaly.explanation.empty()) return anomaly.explanation;
      }
    }
    return "The clients saw what the model does not allow.";
  }
  for (const CheckResult& result : input.results) {
    if (result.model.empty() && result.consistency.empty()) continue;
    const std::string model = result.model.empty() ? "" : " by the model " + result.model;
    const std::string level = result.consistency.empty() ? "" : " under " + result.consistency;
    return fmt::format("What the clients saw in all {} is allowed{}{}.", counted(facts.all.total(), "operation"), model,
                       level);
  }
  return fmt::format("Nothing that the clients saw in {} contradicts what was checked.",
                     counted(facts.all.total(), "operation"));
}

}  // namespace

std::string verdict_sentence(const ReportInput& input, const Facts& facts) {
  return as_sentence(verdict_words(input, facts));
}

}  // namespace ordeal
