// `ordeal explain`: what an anomaly is, with an example that the checkers judge here and now.

#include "checkers/explain/explanation.h"

#include <fmt/format.h>

#include <unistd.h>

#include "base/text.h"
#include "checkers/explain/example_text.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"

namespace ordeal::cli {
namespace {

Value texts(const std::vector<std::string>& words) {
  Value out = Value::list();
  for (const auto& word : words) out.items().emplace_back(word);
  return out;
}

// The anomaly that the example is there for, as its checker tells it; empty: only the judgement of a run tells it.
std::string told(const std::string& anomaly, const AnomalyExample& example) {
  const auto result = judged(example);
  if (!result) return "";
  for (const Anomaly& one : result->anomalies) {
    if (one.type == anomaly) return one.explanation;
  }
  return "";
}

// "ordeal check FILE --model register --consistency sequential".
std::string command_of(const AnomalyExample& example) {
  std::string out = "ordeal check FILE --model " + example.model + " --consistency " + example.consistency;
  for (const std::string& setting : example.settings) out += " --set " + setting;
  return out;
}

std::string judge_of(const AnomalyExample& example) {
  switch (example.kind) {
    case AnomalyExample::Kind::model:
      return fmt::format("{}, {}{}", example.model, example.consistency,
                         example.settings.empty() ? "" : ", " + join(example.settings, " "));
    case AnomalyExample::Kind::run:
      return fmt::format("of a run, {}", join(example.settings, " "));
    case AnomalyExample::Kind::log:
      return "a log of the target";
    case AnomalyExample::Kind::recorded:
      return "the journal of a run";
  }
  return "";
}

Value document_of(const Explanation& explanation) {
  Value out = Value::map();
  out.set("anomaly", explanation.name);
  out.set("meanings", texts(explanation.meanings));
  Value examples = Value::list();
  for (const AnomalyExample& example : explanation.examples) {
    Value one = Value::map();
    const bool model = example.kind == AnomalyExample::Kind::model;
    if (model) one.set("model", example.model);
    if (model) one.set("consistency", example.consistency);
    one.set("settings", texts(example.settings));
    one.set("text", example.text);
    if (example.kind != AnomalyExample::Kind::log) {
      Value events = Value::list();
      for (const auto& line : lines(example_history(example.text).value_or("")))
        events.items().push_back(Value::from_json(line).value_or(Value()));
      one.set("history", std::move(events));
    }
    one.set("explanation", told(explanation.name, example));
    const ForbiddenBy levels = forbidden_by(explanation.name, example);
    one.set("forbidden_by", texts(levels.forbidding));
    one.set("and_stronger", levels.and_stronger);
    one.set("allowed_by", texts(levels.allowing));
    examples.items().push_back(std::move(one));
  }
  out.set("examples", std::move(examples));
  out.set("sources", texts(explanation.sources));
  return out;
}

std::string shown(const Explanation& explanation, const AnomalyExample& example) {
  std::string out = fmt::format("\nexample     {}\n", judge_of(example));
  for (const std::string& line : lines(example.text)) out += "    " + line + "\n";
  if (const std::string why = told(explanation.name, example); !why.empty()) out += "because     " + why + "\n";
  const ForbiddenBy levels = forbidden_by(explanation.name, example);
  if (!levels.forbidding.empty()) {
    out += fmt::format("forbidden   by {}{}\n", join(levels.forbidding, ", "),
                       levels.and_stronger ? " and all stronger levels" : "");
  }
  // Of transactions all that is not above is allowing: too many to be read.
  if (!levels.allowing.empty() && !levels.and_stronger)
    out += fmt::format("allowed     by {}\n", join(levels.allowing, ", "));
  if (example.kind == AnomalyExample::Kind::model) out += "judge it    " + command_of(example) + "\n";
  return out;
}

}  // namespace

int explain(const ExplainCommand& command) {
  const auto explanation = explanation_of(command.anomaly);
  if (!explanation) return refuse(explanation.error(), command.json);
  if (command.history) {
    const auto& example = explanation->examples.front();
    if (example.kind == AnomalyExample::Kind::log) {
      print(example.text);
      return delivered(kValid);
    }
    const auto history = example_history(example.text);
    if (!history) return refuse(history.error(), false);
    print(*history);
    say("to judge it: " + command_of(example));
    return delivered(kValid);
  }
  if (command.json) {
    print(document_of(*explanation).to_json() + "\n");
    return delivered(kValid);
  }
  std::string out = coloured(explanation->name, Colour::bold, STDOUT_FILENO) + "\n";
  for (const std::string& meaning : explanation->meanings) out += "  " + meaning + "\n";
  for (const AnomalyExample& example : explanation->examples) out += shown(*explanation, example);
  out += "\nsources     " + join(explanation->sources, "\n            ") + "\n";
  out +=
      "A line is an operation by a process: -> what was seen, ! it failed, ? nobody knows whether it happened;\n"
      "begins and ends where operations overlap; a time where it matters.\n";
  print(out);
  return delivered(kValid);
}

}  // namespace ordeal::cli
