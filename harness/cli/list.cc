// `ordeal list`: what there is to choose from.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "checkers/base/catalogue.h"
#include "checkers/catalogue.h"
#include "checkers/model_catalogue.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/exit_code.h"
#include "nemesis/catalogue.h"
#include "nemesis/driver.h"
#include "targets/catalogue.h"
#include "workloads/catalogue.h"

namespace ordeal::cli {
namespace {

std::string_view type_name(OptionSpec::Type type) {
  switch (type) {
    case OptionSpec::Type::boolean: return "boolean";
    case OptionSpec::Type::integer: return "integer";
    case OptionSpec::Type::real: return "real";
    case OptionSpec::Type::string: return "string";
    case OptionSpec::Type::duration: return "duration";
  }
  return "string";
}

Value option_values(const std::vector<OptionSpec>& specs) {
  Value out = Value::list();
  for (const auto& spec : specs) {
    Value one = Value::map();
    one.set("key", spec.key);
    one.set("type", type_name(spec.type));
    one.set("default", spec.standard);
    if (spec.least) one.set("least", *spec.least);
    if (spec.most) one.set("most", *spec.most);
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

// " [1 … 100]", or " [a, b]", or nothing.
std::string range(const Value& option) {
  if (const Value* choices = option.find("choices")) return " [" + words(*choices) + "]";
  const Value* least = option.find("least");
  const Value* most = option.find("most");
  const auto bound = [](const Value* value) { return value == nullptr ? std::string("…") : fmt::format("{:g}", value->real()); };
  return least == nullptr && most == nullptr ? "" : fmt::format(" [{} to {}]", bound(least), bound(most));
}

Value list_checkers() {
  Value out = Value::list();
  for (const auto& checker : checkers()) out.items().push_back(entry(std::string(checker.name), std::string(checker.help)));
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

// Text wrapped at 100 columns, every line after the first indented.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  for (const auto& word : [&] {
         std::vector<std::string> words;
         std::string word;
         for (const char c : text + ' ') {
           if (c == ' ' || c == '\n') {
             if (!word.empty()) words.push_back(std::move(word));
             word.clear();
           } else {
             word += c;
           }
         }
         return words;
       }()) {
    if (column > indent && column + 1 + word.size() > 100) {
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

void print(const std::string& heading, const Value& entries) {
  std::size_t width = 0;
  for (const auto& one : entries.items()) width = std::max(width, one.find("name")->string().size());
  width = std::min<std::size_t>(width, 28);
  std::string out = coloured(heading, Colour::bold, 1) + "\n";
  for (const auto& one : entries.items()) {
    out += fmt::format("  {:<{}}  {}\n", one.find("name")->string(), width,
                       wrapped(one.find("help")->string(), width + 4));
    for (const char* relation : {"operations", "workloads", "targets", "consistency"}) {
      const Value* related = one.find(relation);
      if (related == nullptr || related->items().empty()) continue;
      out += fmt::format("  {:<{}}  {}: {}\n", "", width, relation,
                         wrapped(words(*related), width + 6 + std::string_view(relation).size()));
    }
    const Value* options = one.find("options");
    if (options == nullptr) continue;
    for (const auto& option : options->items()) {
      const Value& standard = *option.find("default");
      out += fmt::format("  {:<{}}  --set {}={}  {}\n", "", width, option.find("key")->string(),
                         standard.is_string() ? standard.string() : standard.to_json(),
                         wrapped(option.find("help")->string() + range(option), width + 10));
    }
  }
  std::fputs(out.c_str(), stdout);
}

}  // namespace

int list(const ListCommand& command) {
  struct Subject {
    const char* name;
    Value (*make)();
  };
  static constexpr Subject kSubjects[] = {{"targets", list_targets}, {"workloads", list_workloads},
                                          {"faults", list_faults},   {"checkers", list_checkers},
                                          {"models", list_models},   {"anomalies", list_anomalies}};
  std::vector<std::string> known;
  for (const auto& subject : kSubjects) known.emplace_back(subject.name);
  if (!command.what.empty() && std::find(known.begin(), known.end(), command.what) == known.end()) {
    const Error error = unknown_name("list", command.what, known);
    complain(error);
    return exit_code(error);
  }
  Value all = Value::map();
  for (const auto& subject : kSubjects) {
    if (!command.what.empty() && command.what != subject.name) continue;
    Value entries = subject.make();
    if (!command.json) {
      std::string heading = subject.name;
      heading[0] = static_cast<char>(heading[0] - 'a' + 'A');
      print(heading, entries);
    }
    all.set(subject.name, std::move(entries));
  }
  if (command.json) {
    const Value& document = command.what.empty() ? all : *all.find(command.what);
    std::printf("%s\n", document.to_json().c_str());
  }
  return kValid;
}

}  // namespace ordeal::cli
