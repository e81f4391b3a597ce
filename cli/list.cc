// `ordeal list`: what there is to choose from.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "base/names.h"
#include "checkers/catalogue.h"
#include "checkers/model_catalogue.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "nemesis/catalogue.h"
#include "nemesis/engine/driver_options.h"
#include "targets/catalogue.h"
#include "workloads/catalogue.h"

namespace ordeal::cli {
namespace {

std::string_view type_name(OptionSpec::Type type) {
  switch (type) {
    case OptionSpec::Type::boolean:
      return "boolean";
    case OptionSpec::Type::integer:
      return "integer";
    case OptionSpec::Type::real:
      return "real";
    case OptionSpec::Type::string:
      return "string";
    case OptionSpec::Type::duration:
      return "duration";
  }
  return "string";
}

Value option_values(const std::vector<OptionSpec>& specs) {
  Value out = Value::list();
  for (const auto& spec : specs) {
    Value one = Value::map();
    one.set("key", spec.key);
    one.set("type", type_name(spec.type));
    one.set("default", spec.default_value);
    if (spec.min) one.set("least", *spec.min);
    if (spec.max) one.set("most", *spec.max);
    if (!spec.choices.empty()) {
      Value choices = Value::list();
      for (const auto& choice : spec.choices) choices.items().emplace_back(choice);
      one.set("choices", std::move(choices));
    }
    one.set("help", spec.help);
    out.items().push_back(std::move(one));
  }
  return out;
}

Value entry(const std::string& name, const std::string& help) {
  Value one = Value::map();
  one.set("name", name);
  one.set("help", help);
  return one;
}

Value texts(const std::vector<std::string>& words) {
  Value out = Value::list();
  for (const auto& word : words) out.items().emplace_back(word);
  return out;
}

bool covers(const TargetFactory& target, const WorkloadFactory& workload) {
  return std::all_of(workload.operations.begin(), workload.operations.end(), [&](const std::string& f) {
    return std::find(target.operations.begin(), target.operations.end(), f) != target.operations.end();
  });
}

Value list_targets() {
  Value out = Value::list();
  for (const auto& target : targets()) {
    Value one = entry(target.name, target.help);
    one.set("operations", texts(target.operations));
    std::vector<std::string> fitting;
    for (const auto& workload : workloads()) {
      if (target.operations.empty() || covers(target, workload)) fitting.push_back(workload.name);
    }
    one.set("workloads", texts(fitting));
    one.set("options", option_values(target.options));
    out.items().push_back(std::move(one));
  }
  return out;
}

Value list_workloads() {
  Value out = Value::list();
  for (const auto& workload : workloads()) {
    Value one = entry(workload.name, workload.help);
    one.set("promise", workload.promise);
    one.set("operations", texts(workload.operations));
    std::vector<std::string> fitting;
    for (const auto& target : targets()) {
      if (target.operations.empty() || covers(target, workload)) fitting.push_back(target.name);
    }
    one.set("targets", texts(fitting));
    one.set("options", option_values(workload.options));
    out.items().push_back(std::move(one));
  }
  return out;
}

std::string words(const Value& list) {
  std::vector<std::string> names;
  for (const auto& item : list.items()) names.push_back(item.string());
  return joined(names);
}

Value list_faults() {
  Value out = Value::list();
  for (const auto& fault : faults()) {
    Value one = entry(fault.name, fault.help);
    one.set("options", option_values(fault.options));
    out.items().push_back(std::move(one));
  }
  Value schedule = entry("(schedule)", "How the faults of a run come, whatever they are.");
  schedule.set("options", option_values(nemesis_options()));
  out.items().push_back(std::move(schedule));
  return out;
}

Value list_checkers() {
  Value out = Value::list();
  for (const auto& checker : checkers())
    out.items().push_back(entry(std::string(checker.name), std::string(checker.help)));
  return out;
}

Value list_models() {
  Value out = Value::list();
  for (const auto& model : model_catalogue()) {
    Value one = entry(std::string(model.name), std::string(model.help));
    one.set("consistency", texts(model.consistency));
    out.items().push_back(std::move(one));
  }
  return out;
}

Value list_anomalies() {
  Value out = Value::list();
  for (const auto& anomaly : anomaly_catalogue()) {
    out.items().push_back(entry(std::string(anomaly.name), std::string(anomaly.help)));
  }
  return out;
}

constexpr std::size_t kColumns = 100;

// Text wrapped at kColumns, every line after the first indented.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::string out;
  std::size_t column = indent;
  for (std::string word; words >> word;) {
    if (column > indent && column + 1 + word.size() > kColumns) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

// A number of an option as one would write it on the command line: "200ms" of a duration, "5" of an integer.
std::string amount(const Value& number, const std::string& type) {
  const double value = number.is_integer() ? static_cast<double>(number.integer()) : number.real();
  if (type != "duration" || value == 0) return fmt::format("{:.10g}", value);
  return std::abs(value) < 1 ? fmt::format("{:.10g}ms", value * 1000) : fmt::format("{:.10g}s", value);
}

// " [0 to 60s]", " [a, b and c]", or nothing.
std::string range(const Value& option) {
  if (const Value* choices = option.find("choices")) return " [" + words(*choices) + "]";
  const Value* least = option.find("least");
  const Value* most = option.find("most");
  if (least == nullptr && most == nullptr) return "";
  const std::string& type = option.find("type")->string();
  if (most == nullptr) return fmt::format(" [{} or more]", amount(*least, type));
  if (least == nullptr) return fmt::format(" [{} or less]", amount(*most, type));
  return fmt::format(" [{} to {}]", amount(*least, type), amount(*most, type));
}

std::string default_of(const Value& option) {
  const Value& value = *option.find("default");
  if (value.is_string()) return value.string();
  return value.is_boolean() ? value.to_json() : amount(value, option.find("type")->string());
}

// The parts of a fault's help, each of which says by its first words what it is about.
std::vector<std::string> parts_of(const std::string& help) {
  std::vector<std::size_t> begins = {0};
  for (const char* first : {" Mechanism", " Proof:", " Needs on the nodes:"}) {
    if (const std::size_t at = help.find(first); at != std::string::npos) begins.push_back(at + 1);
  }
  std::sort(begins.begin(), begins.end());
  begins.push_back(help.size() + 1);
  std::vector<std::string> out;
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) out.push_back(help.substr(begins[i], begins[i + 1] - begins[i]));
  return out;
}

// One that has options or relations to others: its name, and below it what there is to say.
std::string block(const Value& one) {
  static constexpr std::size_t kIndent = 6;
  static constexpr std::size_t kLabel = 12;
  std::string out = fmt::format("  {}\n", coloured(one.find("name")->string(), Colour::bold, 1));
  for (const std::string& part : parts_of(one.find("help")->string())) {
    out += fmt::format("{:{}}{}\n", "", kIndent, wrapped(part, kIndent));
  }
  if (const Value* promise = one.find("promise"); promise != nullptr && !promise->string().empty()) {
    out += fmt::format("{:{}}{:<{}}{}\n", "", kIndent, "promise", kLabel, wrapped(promise->string(), kIndent + kLabel));
  }
  for (const char* label : {"operations", "workloads", "targets"}) {
    const Value* text = one.find(label);
    if (text == nullptr || text->items().empty()) continue;
    out += fmt::format("{:{}}{:<{}}{}\n", "", kIndent, label, kLabel, wrapped(words(*text), kIndent + kLabel));
  }
  for (const auto& option : one.find("options")->items()) {
    out += fmt::format("{:{}}--set {}={}\n{:{}}{}\n", "", kIndent, option.find("key")->string(), default_of(option), "",
                       kIndent + 4, wrapped(option.find("help")->string() + range(option), kIndent + 4));
  }
  return out;
}

void print_entries(std::string heading, const Value& entries) {
  heading[0] = static_cast<char>(heading[0] - 'a' + 'A');
  std::size_t width = 0;
  for (const auto& one : entries.items()) width = std::max(width, one.find("name")->string().size());
  width = std::min<std::size_t>(width, 28);
  std::string out = coloured(heading, Colour::bold, 1) + "\n";
  for (const auto& one : entries.items()) {
    if (one.find("options") != nullptr) {
      out += block(one);
      continue;
    }
    out += fmt::format("  {:<{}}  {}\n", one.find("name")->string(), width,
                       wrapped(one.find("help")->string(), width + 4));
    if (const Value* levels = one.find("consistency")) {
      out += fmt::format("  {:<{}}  consistency: {}\n", "", width, wrapped(words(*levels), width + 17));
    }
  }
  print(out);
}

// Only the entry called `name`.
Result<Value> only(std::string_view singular, const Value& entries, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& one : entries.items()) {
    known.push_back(one.find("name")->string());
    if (known.back() != name) continue;
    Value out = Value::list();
    out.items().push_back(one);
    return out;
  }
  return fail(unknown_name(singular, name, known));
}

}  // namespace

int list(const ListCommand& command) {
  struct Subject {
    const char* name;
    const char* singular;
    Value (*make)();
  };
  static constexpr Subject kSubjects[] = {
      {"targets", "target", list_targets}, {"workloads", "workload", list_workloads},
      {"faults", "fault", list_faults},    {"checkers", "checker", list_checkers},
      {"models", "model", list_models},    {"anomalies", "anomaly", list_anomalies}};
  std::vector<std::string> known;
  for (const auto& subject : kSubjects) known.emplace_back(subject.name);
  if (!command.what.empty() && std::find(known.begin(), known.end(), command.what) == known.end()) {
    return refuse(unknown_name("list", command.what, known), command.json);
  }
  Value all = Value::map();
  for (const auto& subject : kSubjects) {
    if (!command.what.empty() && command.what != subject.name) continue;
    Value entries = subject.make();
    if (!command.name.empty()) {
      auto one = only(subject.singular, entries, command.name);
      if (!one) {
        return refuse(one.error(), command.json);
      }
      entries = *std::move(one);
    }
    if (!command.json) print_entries(subject.name, entries);
    all.set(subject.name, std::move(entries));
  }
  if (command.json) {
    const Value& document = command.what.empty() ? all : *all.find(command.what);
    print(document.to_json() + "\n");
  }
  return kValid;
}

}  // namespace ordeal::cli
