#include "checkers/explain/explanation.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/descriptor.h"
#include "base/files.h"
#include "base/names.h"
#include "base/text.h"
#include "checkers/catalogue.h"
#include "checkers/circumstances.h"
#include "checkers/explain/example_text.h"
#include "checkers/explain/examples.h"
#include "checkers/explain/sources.h"
#include "checkers/history/reader.h"
#include "checkers/interfaces/time_bound.h"
#include "checkers/model_catalogue.h"
#include "checkers/transactions/levels.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {
namespace {

struct Named {
  std::string anomaly;
  AnomalyExample example;
};

AnomalyExample example_of(const std::vector<std::string>& heading) {
  AnomalyExample out;
  ORDEAL_CHECK(heading.size() >= 4, "an example's heading lacks a word: " + join(heading, " "));
  out.model = heading[2];
  out.consistency = heading[3];
  out.settings.assign(heading.begin() + 4, heading.end());
  if (out.consistency != "-") return out;
  out.consistency.clear();
  using Kind = AnomalyExample::Kind;
  out.kind = out.model == "log" ? Kind::log : out.model == "recorded" ? Kind::recorded : Kind::run;
  return out;
}

std::vector<Named> read_examples() {
  std::vector<Named> out;
  for (const std::string_view text :
       {object_examples(), transaction_examples(), workload_examples(), message_examples(), run_examples()}) {
    for (const std::string& line : lines(text)) {
      if (line.starts_with("= ")) {
        const auto heading = split(line, ' ');
        out.push_back({heading.at(1), example_of(heading)});
      } else if (!line.empty()) {
        out.back().example.text += line + "\n";
      }
    }
  }
  return out;
}

const std::vector<Named>& all_examples() {
  static const std::vector<Named> all = read_examples();
  return all;
}

Result<CheckResult> judged_history(const AnomalyExample& example) {
  const auto text = example_history(example.text);
  if (!text) return fail(text.error());
  auto read = read_history(*text, "the example");
  if (!read) return fail(read.error());
  CheckOptions options;
  std::shared_ptr<const Checker> checker;
  if (example.kind == AnomalyExample::Kind::run) {
    auto found = find_checker(example.model);
    if (!found) return fail(found.error());
    checker = *found;
    for (const std::string& setting : example.settings) {
      const auto pair = key_value(setting);
      auto value = pair ? Value::from_json(pair->second) : Result<Value>(fail(pair.error()));
      if (!value) return fail(value.error());
      options.extra.set(pair->first, *std::move(value));
    }
  } else {
    options.model = example.model;
    options.consistency = example.consistency;
    auto found = checker_for(options.model, options.consistency);
    if (!found) return fail(found.error());
    checker = *found;
    if (const WorkloadChecker* own = find_workload_checker(example.model)) options.settings = Options(own->options);
    for (const std::string& setting : example.settings) {
      const auto pair = key_value(setting);
      if (!pair) return fail(pair.error());
      if (auto set = options.settings.set(pair->first, pair->second, "the example"); !set) return fail(set.error());
    }
  }
  CheckResult out = checker->check(read->history, options);
  add_circumstances(read->history, out);
  return out;
}

// The checker of logs reads files; this one is in memory only.
Result<CheckResult> judged_log(const AnomalyExample& example) {
  const Descriptor file(::memfd_create("server.log", MFD_CLOEXEC));
  if (!file) return fail(ErrorCode::io, "there is no memory for the example's log");
  if (auto written = write_all(file.get(), example.text, "the example's log"); !written) return fail(written.error());
  auto checker = find_checker("log-pattern");
  if (!checker) return fail(checker.error());
  CheckOptions options;
  options.extra.set("log-pattern.files", Value::list({fmt::format("/proc/self/fd/{}", file.get())}));
  const History none;
  CheckResult out = (*checker)->check(none, options);
  const std::string path = options.extra.find("log-pattern.files")->items().front().string();
  for (Anomaly& one : out.anomalies) {
    if (one.explanation.starts_with(path)) one.explanation.replace(0, path.size(), "server.log");
  }
  return out;
}

bool is_transactional(const std::string& model) { return model == "list-append" || model == "rw-register"; }

// The weakest levels of transactions that forbid it: those that imply none that does.
ForbiddenBy by_definition(std::string_view anomaly) {
  ForbiddenBy out;
  out.and_stronger = true;
  for (const txn::Level& level : txn::levels()) {
    if (!txn::forbids(level, anomaly)) {
      out.allowing.push_back(level.name);
      continue;
    }
    const bool weaker_too = std::any_of(level.implies.begin(), level.implies.end(), [&](const std::string& next) {
      return txn::forbids(*txn::find_level(next), anomaly);
    });
    if (!weaker_too) out.forbidding.push_back(level.name);
  }
  return out;
}

// A family of levels by one of them: that of the example, or a usual one.
std::string one_of(const std::string& level, const AnomalyExample& example) {
  if (is_choice(level, example.consistency)) return example.consistency;
  if (level.ends_with("-T")) return level.substr(0, level.size() - 1) + "2s";
  return level.ends_with("-N") ? level.substr(0, level.size() - 1) + "2" : level;
}

}  // namespace

Result<Explanation> explanation_of(std::string_view anomaly) {
  Explanation out;
  out.name = anomaly;
  std::vector<std::string> known;
  for (const AnomalyEntry& entry : anomaly_catalogue()) {
    if (std::find(known.begin(), known.end(), entry.name) == known.end()) known.push_back(entry.name);
    if (entry.name == anomaly) out.meanings.push_back(entry.help);
  }
  if (out.meanings.empty()) {
    const std::string near = nearest(anomaly, known);
    return fail(ErrorCode::usage, fmt::format("unknown anomaly \"{}\"{}; `ordeal list anomalies` names them all",
                                              anomaly, near.empty() ? "" : "; did you mean \"" + near + "\"?"));
  }
  for (const Named& one : all_examples()) {
    if (one.anomaly != anomaly) continue;
    out.examples.push_back(one.example);
    for (const std::string& source : sources_of(anomaly, one.example.model)) {
      if (std::find(out.sources.begin(), out.sources.end(), source) == out.sources.end()) out.sources.push_back(source);
    }
    // A workload's checker may mean something of its own by a name.
    const WorkloadChecker* own = find_workload_checker(one.example.model);
    if (own == nullptr) continue;
    for (const auto& [name, help] : own->anomalies) {
      if (name == anomaly && std::find(out.meanings.begin(), out.meanings.end(), help) == out.meanings.end())
        out.meanings.push_back(help);
    }
  }
  return out;
}

Result<CheckResult> judged(const AnomalyExample& example) {
  switch (example.kind) {
    case AnomalyExample::Kind::model:
    case AnomalyExample::Kind::run:
      return judged_history(example);
    case AnomalyExample::Kind::log:
      return judged_log(example);
    case AnomalyExample::Kind::recorded:
      break;
  }
  return fail(ErrorCode::usage, "what a run's journal says is judged with the run");
}

ForbiddenBy forbidden_by(std::string_view anomaly, const AnomalyExample& example) {
  if (example.kind != AnomalyExample::Kind::model) return {};
  if (is_transactional(example.model)) return by_definition(anomaly);
  ForbiddenBy out;
  for (const ModelEntry& model : model_catalogue()) {
    if (model.name != example.model) continue;
    for (const std::string& level : model.consistency) {
      if (level == "strongest") continue;
      AnomalyExample same = example;
      same.consistency = one_of(level, example);
      const auto result = judged(same);
      if (!result || result->verdict == Verdict::unknown) continue;
      (result->verdict == Verdict::invalid ? out.forbidding : out.allowing).push_back(same.consistency);
    }
  }
  return out;
}

}  // namespace ordeal
