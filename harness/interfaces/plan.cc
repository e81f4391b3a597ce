#include "harness/interfaces/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace ordeal {

Value Plan::to_value() const {
  Value out = Value::map();
  out.set("name", name);
  out.set("target", target);
  out.set("workload", workload);
  Value faults = Value::list();
  for (const auto& fault : nemesis) faults.items().emplace_back(fault);
  out.set("nemesis", std::move(faults));
  out.set("nodes", nodes);
  out.set("time_limit_s", time_limit_s);
  out.set("rate", rate);
  out.set("poisson", poisson);
  out.set("concurrency", concurrency);
  // As text: JSON readers of other languages lose integers beyond 2^53.
  out.set("seed", std::to_string(seed));
  out.set("op_timeout_s", op_timeout_s);
  out.set("nemesis_interval_s", nemesis_interval_s);
  out.set("nemesis_duration_s", nemesis_duration_s);
  out.set("recovery_s", recovery_s);
  out.set("store", store);
  Value settings = Value::map();
  for (const auto& spec : options.specs()) {
    Value one = Value::map();
    one.set("value", options.value(spec.key));
    one.set("origin", options.origin(spec.key));
    settings.set(spec.key, std::move(one));
  }
  out.set("options", std::move(settings));
  out.set("origins", origins);
  return out;
}

namespace {

// A value as one would write it after --set KEY=.
std::string as_text(const Value& value) { return value.is_string() ? value.string() : value.to_json(); }

}  // namespace

Result<Plan> Plan::from_value(const Value& value, Options declared) {
  if (!value.is_map()) return fail(ErrorCode::input, "plan.json: an object was expected");
  Plan plan;
  std::string problem;
  const auto member = [&](const char* key, Value::Kind kind) -> const Value* {
    const Value* found = value.find(key);
    const bool number_ok = found != nullptr && kind == Value::Kind::real && found->is_integer();
    if (found == nullptr || (found->kind() != kind && !number_ok)) {
      if (problem.empty()) problem = fmt::format("plan.json: member \"{}\" is missing or of another type", key);
      return nullptr;
    }
    return found;
  };
  const auto text = [&](const char* key, std::string& out) {
    if (const Value* v = member(key, Value::Kind::string)) out = v->string();
  };
  const auto number = [&](const char* key, double& out) {
    if (const Value* v = member(key, Value::Kind::real)) out = v->real();
  };
  text("name", plan.name);
  text("target", plan.target);
  text("workload", plan.workload);
  text("nodes", plan.nodes);
  text("store", plan.store);
  number("time_limit_s", plan.time_limit_s);
  number("rate", plan.rate);
  number("op_timeout_s", plan.op_timeout_s);
  number("nemesis_interval_s", plan.nemesis_interval_s);
  number("nemesis_duration_s", plan.nemesis_duration_s);
  number("recovery_s", plan.recovery_s);
  if (const Value* v = member("poisson", Value::Kind::boolean)) plan.poisson = v->boolean();
  if (const Value* v = member("concurrency", Value::Kind::integer)) {
    plan.concurrency = static_cast<int>(std::clamp<std::int64_t>(v->integer(), 0, std::numeric_limits<int>::max()));
  }
  if (const Value* v = member("seed", Value::Kind::string)) plan.seed = std::strtoull(v->string().c_str(), nullptr, 10);
  if (const Value* v = member("nemesis", Value::Kind::list)) {
    for (const auto& fault : v->items()) {
      if (fault.is_string()) plan.nemesis.push_back(fault.string());
    }
  }
  if (const Value* v = member("origins", Value::Kind::map)) plan.origins = *v;
  plan.options = std::move(declared);
  if (const Value* v = member("options", Value::Kind::map)) {
    for (const auto& [key, setting] : v->entries()) {
      const Value* set_to = setting.find("value");
      const Value* origin = setting.find("origin");
      if (set_to == nullptr || origin == nullptr || !origin->is_string()) continue;
      if (origin->string() == "default") continue;
      if (auto done = plan.options.set(key.string(), as_text(*set_to), origin->string()); !done) {
        return fail(ErrorCode::input, done.error().during("plan.json").message);
      }
    }
  }
  if (!problem.empty()) return fail(ErrorCode::input, problem);
  return plan;
}

}  // namespace ordeal
