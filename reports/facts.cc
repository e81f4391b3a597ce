#include "reports/facts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "reports/text.h"

namespace ordeal {
namespace {

std::string member_text(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found == nullptr ? "" : plain_text(*found);
}

// One step of an injection, as the nemesis wrote it.
void apply(FaultRecord& record, const std::string& step, std::int64_t time, const Value& value) {
  if (step == "inject") {
    record.inject_ns = time;
    if (const Value* fault = value.find("fault")) record.description = *fault;
    const Value* nodes = value.find("nodes");
    if (nodes != nullptr && nodes->is_list()) {
      record.nodes.clear();
      for (const auto& node : nodes->items()) record.nodes.push_back(plain_text(node));
    }
  } else if (step == "injected") {
    record.injected_ns = time;
  } else if (step == "confirmed" || step == "unconfirmed") {
    if (step == "confirmed") record.confirmed_ns = time;
    record.evidence = member_text(value, "evidence");
  } else if (step == "heal") {
    record.heal_ns = time;
  } else if (step == "healed") {
    record.healed_ns = time;
  } else if (step == "recovered" || step == "unrecovered") {
    if (step == "recovered") record.heal_confirmed_ns = time;
    record.heal_evidence = member_text(value, "evidence");
  } else if (step == "error" && record.error.empty()) {
    record.error = member_text(value, "message");
  }
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
    if (f == "resume") kind = "pause";
    else if (f == "start") kind = "kill";
    else if (f == "stop") kind = "fault";
    else if (f.starts_with("stop-")) kind = f.substr(5);
    return open_.contains(kind) ? kind : "";
  }
  std::vector<FaultRecord> records_;
  std::map<std::string, std::size_t> open_;
  std::string last_;
};

void count_faults(Facts& facts) {
  std::map<std::string, FaultKindCounts> kinds;
  for (const FaultRecord& fault : facts.faults) {
    FaultKindCounts& kind = kinds[fault.fault];
    kind.fault = fault.fault;
    ++kind.injected;
    ++facts.faults_injected;
    if (fault.confirmed_ns >= 0) {
      ++kind.confirmed;
      ++facts.faults_confirmed;
    }
  }
  for (auto& [name, kind] : kinds) facts.fault_kinds.push_back(std::move(kind));
}

}  // namespace

std::vector<FaultRecord> faults_in(const History& history) {
  std::map<std::int64_t, FaultRecord> records;
  ForeignFaults foreign;
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.process(e) != kNemesis) continue;
    const Value value = history.values().to_value(history.value(e));
    const Value* number = value.find("id");
    const Value* step = value.find("step");
    if (number == nullptr || !number->is_integer() || step == nullptr || !step->is_string()) {
      foreign.event(history.f_name(e), history.time(e), value);
      continue;
    }
    FaultRecord& record = records[number->integer()];
    record.id = static_cast<int>(number->integer());
    record.fault = history.f_name(e);
    apply(record, step->string(), history.time(e), value);
  }
  std::vector<FaultRecord> out;
  for (auto& [id, record] : records) out.push_back(std::move(record));
  return out.empty() ? foreign.take() : out;
}

std::vector<ClockSample> clocks_in(const History& history) {
  std::vector<ClockSample> out;
  std::map<std::int64_t, std::set<std::string>> measured;  // nodes, by injection
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.process(e) != kNemesis) continue;
    const Value value = history.values().to_value(history.value(e));
    const Value* number = value.find("id");
    const std::string step = member_text(value, "step");
    if (number == nullptr || !number->is_integer()) continue;
    if (step == "recovered") {
      for (const std::string& node : measured[number->integer()]) out.push_back({node, history.time(e), 0});
    }
    const Value* values = step == "measured" ? value.find("values") : nullptr;
    const Value* offsets = values == nullptr ? nullptr : values->find("offset_s");
    if (offsets == nullptr || !offsets->is_map()) continue;
    for (const auto& [node, offset] : offsets->entries()) {
      if (!offset.is_real() && !offset.is_integer()) continue;
      const double seconds = offset.is_real() ? offset.real() : static_cast<double>(offset.integer());
      out.push_back({plain_text(node), history.time(e), std::llround(seconds * 1e9)});
      measured[number->integer()].insert(plain_text(node));
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
  std::set<ValueId> keys;
  std::vector<OutcomeCounts> by_id(history.functions().size());
  for (const OperationEvents op : facts.operations) {
    const EventType outcome = history.outcome(op);
    facts.all.add(outcome);
    by_id[history.f(op.invocation)].add(outcome);
    const ValueId key = history.key(op.invocation);
    if (key != kAbsent) keys.insert(key);
  }
  for (std::size_t f = 0; f < by_id.size(); ++f) {
    if (by_id[f].total() > 0) functions[history.functions()[f]] = by_id[f];
  }
  facts.by_function.assign(functions.begin(), functions.end());
  facts.keys = keys.size();
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.time(e) < 0) continue;
    facts.timed = true;
    facts.end_ns = std::max(facts.end_ns, history.time(e));
  }
  facts.end_ns = std::max(facts.end_ns, static_cast<std::int64_t>(input.duration_s * 1e9));
  facts.faults = input.faults.empty() ? faults_in(history) : input.faults;
  std::stable_sort(facts.faults.begin(), facts.faults.end(), [](const FaultRecord& a, const FaultRecord& b) {
    return std::tie(a.inject_ns, a.id) < std::tie(b.inject_ns, b.id);
  });
  count_faults(facts);
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
    const std::string model = result.model.empty() ? "" : " of a " + result.model;
    const std::string level = result.consistency.empty() ? "" : " under " + result.consistency;
    return fmt::format("What the clients saw in all {} is allowed{}{}.", counted(facts.all.total(), "operation"),
                       model.empty() ? "" : " as a history" + model, level);
  }
  return fmt::format("Nothing that the clients saw in {} contradicts what was checked.",
                     counted(facts.all.total(), "operation"));
}

}  // namespace

std::string verdict_sentence(const ReportInput& input, const Facts& facts) {
  return as_sentence(verdict_words(input, facts));
}

}  // namespace ordeal
