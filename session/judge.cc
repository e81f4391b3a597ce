#include "session/judge.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/files.h"
#include "checkers/catalogue.h"
#include "checkers/history/reader.h"
#include "cli/console.h"
#include "harness/interfaces/plan.h"
#include "harness/store/run_directory.h"
#include "reports/facts.h"
#include "reports/report.h"
#include "session/resolve_plan.h"
#include "workloads/catalogue.h"

namespace ordeal::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLogTail = 64 * 1024;

Result<Plan> plan_of(const StoredRun& run) {
  const auto text = [&](const char* key) -> std::string {
    const Value* found = run.plan.find(key);
    return found != nullptr && found->is_string() ? found->string() : "";
  };
  std::vector<std::string> nemesis;
  if (const Value* faults = run.plan.find("nemesis"); faults != nullptr && faults->is_list()) {
    for (const auto& fault : faults->items()) {
      if (fault.is_string()) nemesis.push_back(fault.string());
    }
  }
  auto options = declared_options(text("target"), text("workload"), nemesis);
  if (!options) return fail(ErrorCode::input, options.error().during(run.path + "/plan.json").message);
  auto plan = Plan::from_value(run.plan, *std::move(options));
  if (!plan) return fail(plan.error().during(run.path));
  if (plan->concurrency < 1 || plan->concurrency > kMaxConcurrency) {
    return fail(ErrorCode::input, fmt::format("{}/plan.json: a concurrency from 1 to {} was expected, found {}",
                                              run.path, kMaxConcurrency, plan->concurrency));
  }
  return plan;
}

std::string tail(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::error_code error;
  const auto size = fs::file_size(file, error);
  if (error) return "";
  if (size > kLogTail) in.seekg(static_cast<std::streamoff>(size - kLogTail));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct CollectedLogs {
  std::vector<NodeLog> tails;
  std::vector<std::string> files;
};

CollectedLogs collected_logs(const std::string& directory) {
  CollectedLogs logs;
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(directory) / "nodes", error)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    const fs::path relative = fs::relative(file, fs::path(directory) / "nodes", error);
    logs.tails.push_back({relative.begin()->string(), "nodes/" + relative.string(), tail(file)});
    logs.files.push_back(file.string());
  }
  return logs;
}

// The checkers that judge every run, whatever its workload.
Result<std::vector<ConfiguredChecker>> general_checkers(const Plan& plan, const Value& about,
                                                        const std::vector<std::string>& worker_nodes,
                                                        const std::vector<std::string>& log_files) {
  std::vector<ConfiguredChecker> out;
  for (const char* name : {"stats", "unhandled-errors"}) {
    auto checker = find_checker(name);
    if (!checker) return fail(checker.error());
    out.push_back({*checker, {}});
  }
  if (!plan.nemesis.empty()) {
    auto checker = find_checker("recovery");
    if (!checker) return fail(checker.error());
    ConfiguredChecker recovery{*checker, {}};
    const char* bound = "nemesis.recovery-bound";
    if (plan.options.has(bound)) recovery.options.extra.set("recovery.bound_s", plan.options.seconds(bound));
    Value nodes = Value::list();
    for (const auto& node : worker_nodes) nodes.items().emplace_back(node);
    if (!nodes.items().empty()) recovery.options.extra.set("recovery.worker_nodes", std::move(nodes));
    out.push_back(std::move(recovery));
  }
  const Value* pattern = about.find("log_pattern");
  // A killed controller took its local nodes, and the logs on them, along; the history can be judged all the same.
  if (pattern != nullptr && pattern->is_string() && !pattern->string().empty() && !log_files.empty()) {
    auto checker = find_checker("log-pattern");
    if (!checker) return fail(checker.error());
    ConfiguredChecker patterns{*checker, {}};
    patterns.options.extra.set("log-pattern.pattern", *pattern);
    Value files = Value::list();
    for (const auto& file : log_files) files.items().emplace_back(file);
    patterns.options.extra.set("log-pattern.files", std::move(files));
    out.push_back(std::move(patterns));
  }
  return out;
}

// Which node each worker talks to, for the report's lanes.
std::vector<std::string> worker_nodes(const Value& environment, int workers) {
  std::vector<std::string> names;
  if (const Value* nodes = environment.find("nodes"); nodes != nullptr && nodes->is_list()) {
    for (const auto& node : nodes->items()) {
      if (node.is_string()) names.push_back(node.string());
    }
  }
  std::vector<std::string> out;
  for (int worker = 0; worker < workers && !names.empty(); ++worker) {
    out.push_back(names[static_cast<std::size_t>(worker) % names.size()]);
  }
  return out;
}

Value read_json(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return Value::map();
  auto value = Value::from_json(*text);
  return value ? *std::move(value) : Value::map();
}

// The kinds of faults that were tried and never bit, with the numbers; a run that had them on its plan does not say
// that the target bears them.
std::string toothless_faults(const Facts& facts) {
  std::string out;
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    if (kind.confirmed > 0 || kind.tried == 0) continue;
    out += fmt::format("{}{} (tried {} times, {} injected)", out.empty() ? "" : ", ", kind.fault, kind.tried,
                       kind.injected);
  }
  return out;
}

// The verdict of the whole run: that of the checkers, unless the run itself showed too little (DESIGN.md, section 8).
void conclude(ReportInput& input, const Plan& plan) {
  input.verdict = Verdict::valid;
  for (const auto& result : input.results) {
    input.verdict = merged(input.verdict, result.verdict);
    if (result.verdict == Verdict::unknown && input.reason.empty()) {
      input.reason = result.checker + ": " + result.reason;
    }
  }
  const Facts facts = facts_of(input);
  std::string shortfall;
  if (facts.all.ok == 0) {
    shortfall = "no operation succeeded, so nothing of value was observed";
  } else if (!plan.nemesis.empty() && facts.faults_confirmed == 0) {
    shortfall = fmt::format("no fault was seen to take effect ({} injected)", facts.faults_injected);
  } else if (const std::string toothless = toothless_faults(facts); !plan.nemesis.empty() && !toothless.empty()) {
    shortfall = "never seen to take effect: " + toothless;
  }
  if (!shortfall.empty() && input.verdict != Verdict::invalid) {
    input.verdict = Verdict::unknown;
    input.reason = shortfall;
  }
  if (input.verdict != Verdict::unknown) input.reason.clear();
}

// The first anomalies with their sentences, one line each for some more, and how many there are beyond: a screenful.
std::string told_anomalies(const Value& results) {
  static constexpr std::size_t kExplained = 3;
  static constexpr std::size_t kNamed = 10;
  std::string out;
  std::size_t found = 0;
  const Value* checks = results.find("checks");
  if (checks == nullptr) return out;
  for (const auto& check : checks->items()) {
    for (const auto& anomaly : check.find("anomalies")->items()) {
      if (++found > kNamed) continue;
      out += fmt::format("anomaly     {}: {}\n", anomaly.find("type")->string(), anomaly.find("explanation")->string());
      const Value* sentences = anomaly.find("sentences");
      if (sentences == nullptr || found > kExplained) continue;
      for (std::size_t i = 0; i < sentences->items().size(); ++i) {
        out += fmt::format("            {}. {}\n", i + 1, sentences->items()[i].string());
      }
    }
  }
  if (found > kNamed) out += fmt::format("            and {} more; all are in the report\n", found - kNamed);
  return out;
}

}  // namespace

Result<JudgedRun> judge_run(const std::string& path, std::stop_token stop) {
  auto run = open_run(path);
  if (!run) return fail(run.error());
  auto plan = plan_of(*run);
  if (!plan) return fail(plan.error());
  ReadOptions read;
  read.format = HistoryFormat::jsonl;
  read.tolerate_torn_end = true;
  auto found = read_history_file(run->history_path, read);
  if (!found) return fail(found.error());
  for (const auto& note : found->notes) say(note);

  const Value about = read_json(run->path + "/environment.json");
  const CollectedLogs logs = collected_logs(run->path);
  const auto workload = find_workload(plan->workload);
  if (!workload) return fail(workload.error());
  std::vector<ConfiguredChecker> checkers = (*workload)->checkers(plan->options);
  const std::vector<std::string> nodes_of_workers = worker_nodes(about, plan->concurrency);
  auto general = general_checkers(*plan, about, nodes_of_workers, logs.files);
  if (!general) return fail(general.error());
  checkers.insert(checkers.end(), general->begin(), general->end());

  ReportInput input;
  input.history = &found->history;
  for (auto& one : checkers) {
    one.options.stop = stop;
    const auto began = std::chrono::steady_clock::now();
    input.results.push_back(one.checker->check(found->history, one.options));
    input.results.back().seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }
  input.plan = run->plan;
  input.faults = faults_in(found->history);
  conclude(input, *plan);
  if (const Value* environment = about.find("environment")) input.environment = *environment;
  if (const Value* command = about.find("command"); command != nullptr && command->is_string()) {
    input.command = command->string();
  }
  if (const Value* started = about.find("started"); started != nullptr && started->is_string()) {
    input.started_utc = started->string();
  }
  input.worker_nodes = nodes_of_workers;
  input.logs = logs.tails;
  input.title = fmt::format("{} {}", plan->target, plan->workload);

  JudgedRun out;
  out.directory = run->path;
  out.verdict = input.verdict;
  out.reason = input.reason;
  out.results = results_value(input);
  out.results.set("directory", run->path);
  if (const Value* summary = out.results.find("summary")) out.summary = summary->string();
  for (const auto& [name, text] : {std::pair<std::string, std::string>{"results.json", out.results.to_json() + "\n"},
                                   std::pair<std::string, std::string>{"junit.xml", junit_xml(input)}}) {
    if (auto written = replace_file(run->path + "/" + name, text); !written) return fail(written.error());
  }
  if (auto written = write_html_report(input, run->path + "/report.html", run->path + "/anomalies"); !written) {
    return fail(written.error());
  }
  return out;
}

void print_judged(const JudgedRun& run) {
  const auto number = [](const Value* value) { return value != nullptr && value->is_integer() ? value->integer() : 0; };
  std::string out = fmt::format("{}  {}\n",
                                name(run.verdict) == "valid"      ? coloured("valid", Colour::green, STDOUT_FILENO)
                                : run.verdict == Verdict::invalid ? coloured("invalid", Colour::red, STDOUT_FILENO)
                                                                  : coloured("unknown", Colour::yellow, STDOUT_FILENO),
                                run.summary);
  if (!run.reason.empty()) out += fmt::format("reason      {}\n", run.reason);
  out += told_anomalies(run.results);
  if (const Value* operations = run.results.find("operations")) {
    out += fmt::format("operations  {} ok, {} info, {} fail\n", number(operations->find("ok")),
                       number(operations->find("info")), number(operations->find("fail")));
  }
  if (const Value* kinds = run.results.find("fault_kinds"); kinds != nullptr && !kinds->entries().empty()) {
    bool first = true;
    for (const auto& [fault, counts] : kinds->entries()) {
      out +=
          fmt::format("{}{}: {} planned, {} injected, {} confirmed, {} healed\n",
                      first ? "faults      " : "            ", fault.string(), number(counts.find("planned")),
                      number(counts.find("injected")), number(counts.find("confirmed")), number(counts.find("healed")));
      first = false;
    }
  }
  if (const Value* recovery = run.results.find("recovery"); recovery != nullptr) {
    out += fmt::format("recovery    {}\n", recovery->find("summary")->string());
  }
  out += fmt::format("report      {}/report.html\n", run.directory);
  std::fputs(out.c_str(), stdout);
}

}  // namespace ordeal::cli
