#include "checkers/history/fault_record.h"

#include <algorithm>
#include <map>
#include <utility>

namespace ordeal {
namespace {

constexpr std::pair<const char*, std::int64_t FaultRecord::*> kTimes[] = {
    {"planned_ns", &FaultRecord::planned_ns},
    {"inject_ns", &FaultRecord::inject_ns},
    {"injected_ns", &FaultRecord::injected_ns},
    {"struck_from_ns", &FaultRecord::struck_from_ns},
    {"struck_to_ns", &FaultRecord::struck_to_ns},
    {"confirmed_ns", &FaultRecord::confirmed_ns},
    {"heal_ns", &FaultRecord::heal_ns},
    {"healed_ns", &FaultRecord::healed_ns},
    {"heal_confirmed_ns", &FaultRecord::heal_confirmed_ns},
};
constexpr std::pair<const char*, std::string FaultRecord::*> kTexts[] = {
    {"fault", &FaultRecord::fault},
    {"evidence", &FaultRecord::evidence},
    {"heal_evidence", &FaultRecord::heal_evidence},
    {"error", &FaultRecord::error},
};

constexpr std::pair<FaultStep, std::string_view> kSteps[] = {
    {FaultStep::planned, "planned"},     {FaultStep::triggered, "triggered"},     {FaultStep::postponed, "postponed"},
    {FaultStep::inject, "inject"},       {FaultStep::injected, "injected"},       {FaultStep::confirmed, "confirmed"},
    {FaultStep::disturbed, "disturbed"}, {FaultStep::unconfirmed, "unconfirmed"}, {FaultStep::measured, "measured"},
    {FaultStep::heal, "heal"},           {FaultStep::healed, "healed"},           {FaultStep::recovered, "recovered"},
    {FaultStep::error, "error"},         {FaultStep::unrecovered, "unrecovered"}, {FaultStep::lifted, "lifted"},
};

FaultStep step_named(std::string_view name) {
  for (const auto& [step, known] : kSteps) {
    if (known == name) return step;
  }
  return FaultStep::other;
}

std::string text_of(const Value& value) { return value.is_string() ? value.string() : value.to_json(); }

std::string member_text(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found == nullptr ? "" : text_of(*found);
}

// {"struck":[from,to]}, which lies within the injection.
void apply_instant(FaultRecord& record, const Value& injected) {
  const Value* struck = injected.find("struck");
  if (struck == nullptr || !struck->is_list() || struck->items().size() != 2) return;
  const Value &from = struck->items()[0], &to = struck->items()[1];
  if (!from.is_integer() || !to.is_integer() || from.integer() > to.integer()) return;
  record.struck_from_ns = std::max(from.integer(), record.inject_ns);
  record.struck_to_ns = std::max(record.struck_from_ns, std::min(to.integer(), record.injected_ns));
}

}  // namespace

Value to_value(const FaultRecord& record) {
  Value out = Value::map();
  out.set("id", record.id);
  for (const auto& [key, member] : kTexts) out.set(key, record.*member);
  Value nodes = Value::list();
  for (const auto& node : record.nodes) nodes.items().emplace_back(node);
  out.set("nodes", std::move(nodes));
  out.set("description", record.description);
  for (const auto& [key, member] : kTimes) out.set(key, record.*member);
  if (record.lifted_ns >= 0) {
    out.set("lifted", record.lifted);
    out.set("lifted_ns", record.lifted_ns);
  }
  return out;
}

std::string_view to_string(FaultStep step) {
  for (const auto& [known, name] : kSteps) {
    if (known == step) return name;
  }
  ORDEAL_CHECK(false, "a step that has a word");
  return "";
}

Value fault_event_value(int id, FaultStep step, Value::Map more) {
  Value out = Value::map({{Value("id"), Value(id)}, {Value("step"), Value(to_string(step))}});
  for (auto& [key, one] : more) out.set(std::move(key), std::move(one));
  return out;
}

std::optional<FaultEvent> fault_event(const History& history, EventIndex event) {
  if (history.process(event) != kNemesis) return std::nullopt;
  FaultEvent out;
  out.value = history.values().to_value(history.value(event));
  const Value* id = out.value.find("id");
  const Value* step = out.value.find("step");
  if (id == nullptr || !id->is_integer() || !std::in_range<int>(id->integer())) return std::nullopt;
  if (step == nullptr || !step->is_string()) return std::nullopt;
  out.id = static_cast<int>(id->integer());
  out.fault = history.f_name(event);
  out.step = step_named(step->string());
  out.time_ns = history.time(event);
  return out;
}

void apply(FaultRecord& record, const FaultEvent& event) {
  record.id = event.id;
  record.fault = event.fault;
  switch (event.step) {
    case FaultStep::planned:
      record.planned_ns = event.time_ns;
      return;
    case FaultStep::inject: {
      record.inject_ns = event.time_ns;
      if (const Value* fault = event.value.find("fault")) record.description = *fault;
      const Value* nodes = event.value.find("nodes");
      if (nodes == nullptr || !nodes->is_list()) return;
      record.nodes.clear();
      for (const auto& node : nodes->items()) record.nodes.push_back(text_of(node));
      return;
    }
    case FaultStep::injected:
      record.injected_ns = event.time_ns;
      apply_instant(record, event.value);
      return;
    case FaultStep::confirmed:
      record.confirmed_ns = event.time_ns;
      record.evidence = member_text(event.value, "evidence");
      return;
    case FaultStep::unconfirmed:
      record.evidence = member_text(event.value, "evidence");
      return;
    case FaultStep::disturbed:
      (record.healed_ns >= 0 ? record.heal_evidence : record.evidence) = member_text(event.value, "evidence");
      return;
    case FaultStep::lifted:
      if (record.lifted_ns >= 0) return;
      record.lifted_ns = event.time_ns;
      record.lifted = member_text(event.value, "message");
      return;
    case FaultStep::heal:
      record.heal_ns = event.time_ns;
      return;
    case FaultStep::healed:
      record.healed_ns = event.time_ns;
      return;
    case FaultStep::recovered:
      record.heal_confirmed_ns = event.time_ns;
      record.heal_evidence = member_text(event.value, "evidence");
      return;
    case FaultStep::unrecovered:
      record.heal_evidence = member_text(event.value, "evidence");
      return;
    case FaultStep::error:
      if (record.error.empty()) record.error = member_text(event.value, "message");
      return;
    case FaultStep::triggered:
    case FaultStep::postponed:
    case FaultStep::measured:
    case FaultStep::other:
      return;
  }
}

bool is_nemesis_plan(const Value& value) {
  const Value* step = value.find("step");
  return step != nullptr && step->is_string() && step->string() == "plan" && value.find("id") == nullptr;
}

Value nemesis_plan(const History& history) {
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.process(e) != kNemesis) continue;
    Value value = history.values().to_value(history.value(e));
    return is_nemesis_plan(value) ? value : Value();
  }
  return {};
}

std::vector<FaultRecord> fault_records(const History& history) {
  std::map<int, FaultRecord> records;
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (const auto event = fault_event(history, e)) apply(records[event->id], *event);
  }
  std::vector<FaultRecord> out;
  for (auto& [id, record] : records) out.push_back(std::move(record));
  return out;
}

}  // namespace ordeal
