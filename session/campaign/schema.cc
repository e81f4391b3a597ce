#include "session/campaign/schema.h"

#include <algorithm>
#include <map>

#include "harness/interfaces/plan.h"
#include "harness/nodes/node_source.h"
#include "nemesis/catalogue.h"
#include "nemesis/engine/driver_options.h"
#include "session/campaign/campaign_file.h"
#include "targets/catalogue.h"
#include "workloads/catalogue.h"

namespace ordeal {
namespace {

Value object(std::initializer_list<std::pair<const char*, Value>> members) {
  Value out = Value::map();
  for (const auto& [key, value] : members) out.set(key, value);
  return out;
}

Value list_of(const std::vector<std::string>& words) {
  Value out = Value::list();
  for (const auto& word : words) out.items().emplace_back(word);
  return out;
}

Value any_of(Value::List alternatives) { return object({{"anyOf", Value(std::move(alternatives))}}); }

Value pattern(const char* text) { return object({{"type", "string"}, {"pattern", text}}); }

constexpr const char* kDuration = "^[0-9][0-9.eE+-]*(us|ms|s|m|h)?$";

// A number within bounds, or the same as a text.
Value number(const char* type, std::optional<double> min, std::optional<double> max, const char* text) {
  Value out = object({{"type", type}});
  if (min) out.set("minimum", *min);
  if (max && *max < 1e300) out.set("maximum", *max);
  return any_of({out, pattern(text)});
}

Value boolean(std::vector<std::string> words) {
  return any_of({object({{"type", "boolean"}}), object({{"enum", list_of(words)}})});
}

// Any scalar: what a text may be written as.
Value text() { return object({{"type", Value::list({"string", "number", "boolean"})}}); }

// A list multiplies the runs.
Value one_or_more(const Value& one) {
  return any_of({one, object({{"type", "array"}, {"items", one}, {"minItems", 1}})});
}

Value with_help(Value schema, const std::string& help) {
  schema.set("description", help);
  return schema;
}

Value option_schema(const OptionSpec& spec) {
  using Type = OptionSpec::Type;
  Value one;
  switch (spec.type) {
    case Type::boolean:
      one = boolean({"true", "yes", "1", "on", "false", "no", "0", "off"});
      break;
    case Type::integer:
      one = number("integer", spec.min, spec.max, "^-?[0-9]+$");
      break;
    case Type::real:
      one = number("number", spec.min, spec.max, "^-?[0-9][0-9.eE+-]*$");
      break;
    case Type::duration:
      one = number("number", spec.min, spec.max, kDuration);
      break;
    case Type::string: {
      const bool closed =
          !spec.choices.empty() && std::none_of(spec.choices.begin(), spec.choices.end(),
                                                [](const auto& choice) { return choice.ends_with("-T"); });
      one = closed ? object({{"enum", list_of(spec.choices)}}) : text();
      break;
    }
  }
  return with_help(one_or_more(one), spec.help);
}

std::vector<std::string> choices_of(std::string_view setting) {
  std::vector<std::string> out;
  if (setting == "target") {
    for (const auto& one : targets()) out.push_back(one.name);
  } else if (setting == "workload") {
    for (const auto& one : workloads()) out.push_back(one.name);
  }
  return out;
}

// One value of a setting of runs.
Value setting_schema(const PlanSetting& setting) {
  using Type = PlanSetting::Type;
  switch (setting.type) {
    case Type::text:
      if (const auto choices = choices_of(setting.name); !choices.empty()) return object({{"enum", list_of(choices)}});
      return text();
    case Type::words:
      return text();
    case Type::duration:
      return number("number", setting.min, setting.max, kDuration);
    case Type::rate:
      return number("number", setting.min, setting.max, "^(unlimited|[0-9][0-9.eE+-]*)$");
    case Type::integer:
      return number("integer", setting.min, setting.max, "^[0-9]+$");
    case Type::size:
      return number("integer", 0, std::nullopt, "^[0-9]+([KMG](i?B)?)?$");
    case Type::seed:
      return number("integer", 0, std::nullopt, "^[0-9]+( *\\.\\. *[0-9]+)?$");
    case Type::boolean:
      return boolean({"true", "false"});
  }
  return text();
}

Value campaign_setting_schema(const CampaignSetting& setting) {
  switch (setting.type) {
    case CampaignSetting::Type::duration:
      return number("number", setting.min, setting.max, kDuration);
    case CampaignSetting::Type::integer:
      return number("integer", setting.min, setting.max, "^[0-9]+$");
    case CampaignSetting::Type::boolean:
      return boolean({"true", "false"});
  }
  return text();
}

// Every option that some target, workload, fault or kind of node has, by its key.
std::map<std::string, Value> all_options() {
  std::map<std::string, Value> out;
  const auto take = [&](const std::vector<OptionSpec>& specs) {
    for (const auto& spec : specs) out.emplace(spec.key, option_schema(spec));
  };
  for (const auto& one : targets()) take(one.options);
  for (const auto& one : workloads()) take(one.options);
  for (const auto& one : faults()) take(one.options);
  take(nodes::node_options());
  take(nemesis_options());
  return out;
}

Value closed_object(Value properties) {
  return object({{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}});
}

// "etcd.x" in quotes, or etcd.x, which is a table in a table.
Value options_schema() {
  Value properties = Value::map();
  std::map<std::string, Value> nested;
  for (const auto& [key, schema] : all_options()) {
    properties.set(key, schema);
    const std::size_t dot = key.find('.');
    nested[key.substr(0, dot)].set(key.substr(dot + 1), schema);
  }
  for (auto& [owner, inner] : nested) properties.set(owner, closed_object(std::move(inner)));
  return closed_object(std::move(properties));
}

// A text, a list of texts, or a table with the timeline.
Value nemesis_schema(const PlanSetting& setting) {
  Value properties = Value::map();
  properties.set("faults", with_help(one_or_more(setting_schema(setting)), setting.help));
  for (const OptionSpec& spec : nemesis_options()) {
    const std::string name = spec.key.substr(spec.key.find('.') + 1);
    properties.set(name, option_schema(spec));
  }
  properties.set("timeline", object({{"type", "array"},
                                     {"items", object({{"type", "object"}, {"required", Value::list({"fault"})}})}}));
  return with_help(any_of({one_or_more(setting_schema(setting)), closed_object(std::move(properties))}), setting.help);
}

// Conditions are keys with one value or several; options may be said in either form.
Value selection_schema() { return object({{"type", "object"}, {"minProperties", 1}}); }

}  // namespace

Value campaign_schema() {
  Value properties = Value::map();
  for (const PlanSetting& setting : plan_settings()) {
    const std::string_view name = setting.name;
    if (name == "nemesis") {
      properties.set(name, nemesis_schema(setting));
    } else {
      const Value one = setting_schema(setting);
      properties.set(name, with_help(name == "store" ? one : one_or_more(one), setting.help));
    }
  }
  properties.set("set", with_help(options_schema(), "options of target, workload, faults and nodes"));
  for (const CampaignSetting& setting : campaign_settings()) {
    properties.set(setting.name, with_help(campaign_setting_schema(setting), setting.help));
  }
  const Value tables = object({{"type", "array"}, {"items", selection_schema()}, {"minItems", 1}});
  properties.set("exclude", with_help(tables, "runs that are left out: those that one of the tables describes"));
  const Value verdict = pattern("^ *(valid|invalid( *:.+)?) *$");
  Value rule = selection_schema();
  rule.set("required", Value::list({"verdict"}));
  rule.set("properties", object({{"verdict", verdict}}));
  properties.set("expect",
                 with_help(any_of({verdict, object({{"type", "array"}, {"items", rule}, {"minItems", 1}})}),
                           "what is known: a finding that stays is not red, one that is gone is told and not green"));
  Value out = closed_object(std::move(properties));
  out.set("$schema", "http://json-schema.org/draft-07/schema#");
  out.set("title", "A campaign of Ordeal");
  return out;
}

}  // namespace ordeal
