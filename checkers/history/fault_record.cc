#include "checkers/history/fault_record.h"

#include <utility>

namespace ordeal {
namespace {

constexpr std::pair<const char*, std::int64_t FaultRecord::*> kTimes[] = {
    {"planned_ns", &FaultRecord::planned_ns},
    {"inject_ns", &FaultRecord::inject_ns},
    {"injected_ns", &FaultRecord::injected_ns},
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
  return out;
}

Result<FaultRecord> fault_record(const Value& value) {
  const auto wrong = [](const char* key) {
    return fail(ErrorCode::input,
                std::string("a fault's record: member \"") + key + "\" is missing or of another type");
  };
  FaultRecord out;
  const Value* id = value.find("id");
  if (id == nullptr || !id->is_integer()) return wrong("id");
  out.id = static_cast<int>(id->integer());
  for (const auto& [key, member] : kTexts) {
    const Value* text = value.find(key);
    if (text == nullptr || !text->is_string()) return wrong(key);
    out.*member = text->string();
  }
  for (const auto& [key, member] : kTimes) {
    const Value* time = value.find(key);
    if (time == nullptr || !time->is_integer()) return wrong(key);
    out.*member = time->integer();
  }
  const Value* nodes = value.find("nodes");
  if (nodes == nullptr || !nodes->is_list()) return wrong("nodes");
  for (const auto& node : nodes->items()) {
    if (!node.is_string()) return wrong("nodes");
    out.nodes.push_back(node.string());
  }
  if (const Value* description = value.find("description")) out.description = *description;
  return out;
}

}  // namespace ordeal
