#include "session/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/files.h"
#include "base/limits.h"
#include "checkers/catalogue.h"
#include "checkers/circumstances.h"
#include "checkers/history/reader.h"
#include "checkers/model_catalogue.h"
#include "harness/store/run_directory.h"
#include "reports/report.h"
#include "reports/text.h"
#include "session/conclusion.h"
#include "session/environment.h"
#include "session/resolve_plan.h"
#include "workloads/catalogue.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLogTail = 64 * 1024;
// For the strongest level that holds, beside the verdict.
constexpr std::chrono::milliseconds kStrongestTime{10'000};

Result<Plan> plan_of(const StoredRun& run) {
  auto plan = read_plan(run.plan);
  if (!plan) return fail(plan.error().during(run.path + "/plan.json"));
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
Result<std::vector<ConfiguredChecker>> general_checkers(const Plan& plan, const Environment& environment,
                                                        const std::vector<std::string>& log_files) {
  std::vector<ConfiguredChecker> out;
  for (const char* name : {"stats", "unhandled-errors"}) {
    auto checker = find_checker(name);
    if (!checker) return fail(checker.error());
    out.push_back({*checker, {}});
  }
  if (!plan.nemesis.empty()) {
    Value nodes = Value::list();
    for (const auto& node : environment.worker_nodes(plan.concurrency)) nodes.items().emplace_back(node);
    for (const std::string name : {"recovery", "minority"}) {
      const std::string bound = "nemesis." + name + "-bound";
      const double bound_s = plan.options.has(bound) ? plan.options.seconds(bound) : 0;
      if (name == "minority" && bound_s <= 0) continue;  // it has nothing to measure
      auto checker = find_checker(name);
      if (!checker) return fail(checker.error());
      ConfiguredChecker one{*checker, {}};
      one.options.extra.set(name + ".bound_s", bound_s);
      if (!nodes.items().empty()) one.options.extra.set(name + ".worker_nodes", nodes);
      out.push_back(std::move(one));
    }
  }
  // A killed controller took its local nodes, and the logs on them, along; the history can be judged all the same.
  if (!environment.log_pattern.empty() && !log_files.empty()) {
    auto checker = find_checker("log-pattern");
    if (!checker) return fail(checker.error());
    ConfiguredChecker patterns{*checker, {}};
    patterns.options.extra.set("log-pattern.pattern", environment.log_pattern);
    Value files = Value::list();
    for (const auto& file : log_files) files.items().emplace_back(file);
    patterns.options.extra.set("log-pattern.files", std::move(files));
    out.push_back(std::move(patterns));
  }
  return out;
}

Environment read_environment(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return {};
  const auto value = Value::from_json(*text);
  return value ? Environment::from_value(*value) : Environment{};
}

// Errors: input.
Result<ReadHistory> read_history(const StoredRun& run, RunObserver& observer) {
  ReadOptions read;
  read.format = HistoryFormat::jsonl;
  read.tolerate_torn_end = true;
  observer.stage("reading the history");
  auto found = read_history_file(run.history_path, read);
  if (!found) return found;
  for (const auto& note : found->notes) observer.remark(note);
  return found;
}

// Of a list of levels, by name or with more about each, those that the run brings what it takes to judge.
Value offered(const Value& list, const std::vector<std::string>& levels) {
  if (!list.is_list()) return list;
  Value out = Value::list();
  for (const Value& one : list.items()) {
    const Value* level = one.is_map() ? one.find("level") : &one;
    if (level != nullptr && std::find(levels.begin(), levels.end(), plain_text(*level)) != levels.end())
      out.items().push_back(one);
  }
  return out;
}

// Into the details of what was judged at one level: the strongest that holds, as `ordeal check --consistency strongest`
// names it, for the models that have it. In bounded time: what was not decided by then is named as undecided.
void name_strongest(const History& history, const CheckOptions& options, const Limits& limits,
                    const std::vector<std::string>& levels, CheckResult& result) {
  if (options.model.empty() || options.consistency.empty() || options.consistency == "strongest") return;
  const auto strongest = checker_for(options.model, "strongest");
  if (!strongest) return;
  const auto& models = model_catalogue();
  const auto model =
      std::find_if(models.begin(), models.end(), [&](const ModelEntry& one) { return one.name == options.model; });
  if (result.verdict == Verdict::valid && model != models.end() && model->consistency.front() == options.consistency) {
    result.details.set("strongest", options.consistency);
    return;
  }
  if (const std::string why = limits.exceeded(); !why.empty()) {
    result.details.set("undecided", Value::list({"strongest: " + why}));
    return;
  }
  CheckOptions all = options;
  all.consistency = "strongest";
  const auto left = limits.time_left();
  all.timeout = left.count() > 0 ? std::min(left, kStrongestTime) : kStrongestTime;
  const CheckResult found = (*strongest)->check(history, all);
  for (const char* key : {"strongest", "holds", "ruled_out", "ruled-out", "undecided"}) {
    if (const Value* said = found.details.find(key)) result.details.set(key, offered(*said, levels));
  }
  // Levels with a bound are not among those looked at; one that was judged and holds is better than none.
  const Value* named = result.details.find("strongest");
  if (result.verdict == Verdict::valid && named != nullptr && named->is_nil())
    result.details.set("strongest", options.consistency);
  if (found.verdict == Verdict::unknown && found.details.find("strongest") == nullptr)
    result.details.set("undecided", Value::list({"strongest: " + found.reason}));
}

// What the plan says, unless the caller says otherwise.
JudgeLimits resolved(const Plan& plan, JudgeLimits limits) {
  if (!limits.timeout) {
    limits.timeout = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(plan.check_timeout_s));
  }
  if (!limits.memory_bytes) limits.memory_bytes = plan.check_memory;
  return limits;
}

// One that was not asked any more.
CheckResult not_asked(const ConfiguredChecker& one, const std::string& why) {
  CheckResult out;
  out.checker = one.checker->name();
  out.model = one.options.model;
  out.consistency = one.options.consistency;
  out.reason = why;
  return out;
}

// What the checkers say of the history.
Result<std::vector<CheckResult>> checked(const Plan& plan, const Environment& environment, const History& history,
                                         const std::vector<std::string>& log_files, const JudgeLimits& given) {
  const auto workload = find_workload(plan.workload);
  if (!workload) return fail(workload.error());
  std::vector<ConfiguredChecker> checkers = (*workload)->checkers(plan.options);
  auto general = general_checkers(plan, environment, log_files);
  if (!general) return fail(general.error());
  checkers.insert(checkers.end(), general->begin(), general->end());
  // Of time: memory that one checker has given back may still be this process's when the next one begins.
  const Limits limits(*given.timeout, std::numeric_limits<std::size_t>::max() / 2, given.stop);
  std::vector<CheckResult> out;
  for (auto& one : checkers) {
    if (const std::string why = limits.exceeded(); !why.empty()) {
      out.push_back(not_asked(one, why));
      continue;
    }
    const auto began = std::chrono::steady_clock::now();
    one.options.timeout = limits.time_left();
    one.options.memory_bytes = *given.memory_bytes;
    one.options.stop = given.stop;
    out.push_back(one.checker->check(history, one.options));
    add_circumstances(history, out.back());
    out.back().seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    name_strongest(history, one.options, limits, levels_of(**workload), out.back());
  }
  return out;
}

// The verdict of the whole run: that of the checkers, unless the run itself showed too little.
void conclude(ReportInput& input, const std::string& lacking) {
  input.verdict = Verdict::valid;
  for (const auto& result : input.results) {
    input.verdict = merged(input.verdict, result.verdict);
    if (result.verdict == Verdict::unknown && input.reason.empty()) {
      input.reason = result.checker + ": " + result.reason;
    }
  }
  if (!lacking.empty() && input.verdict != Verdict::invalid) {
    input.verdict = Verdict::unknown;
    input.reason = lacking;
  } else if (!lacking.empty()) {
    input.remarks.push_back("Beside that: " + lacking);
  }
  if (input.verdict != Verdict::unknown) input.reason.clear();
}

Result<void> write_files(const ReportInput& input, const JudgedRun& run) {
  for (const auto& [name, text] : {std::pair<std::string, std::string>{"results.json", run.results.to_json() + "\n"},
                                   std::pair<std::string, std::string>{"junit.xml", junit_xml(input)}}) {
    if (auto written = replace_file(run.directory + "/" + name, text); !written) return written;
  }
  return write_html_report(input, run.directory + "/report.html", run.directory + "/anomalies");
}

}  // namespace

Result<JudgedRun> judge_run(const std::string& path, RunObserver& observer, const JudgeLimits& limits) {
  auto run = open_run(path);
  if (!run) return fail(run.error());
  auto plan = plan_of(*run);
  if (!plan) return fail(plan.error());
  const Environment environment = read_environment(run->path + "/environment.json");
  ReadHistory found;
  if (run->has_history) {
    auto read = read_history(*run, observer);
    if (!read) return fail(read.error());
    found = *std::move(read);
    found.history.place_workers(environment.worker_nodes(plan->concurrency));
  }
  const CollectedLogs logs = collected_logs(run->path);
  const auto end = end_of(found.history, environment);

  ReportInput input;
  input.history = &found.history;
  input.plan = run->plan;
  input.faults = faults_in(found.history);
  const std::string hole = missing_events(found.history);
  if (run->has_history && hole.empty()) {
    observer.stage(fmt::format("checking {} events", grouped(found.history.size())));
    auto results = checked(*plan, environment, found.history, logs.files, resolved(*plan, limits));
    if (!results) return fail(results.error());
    input.results = *std::move(results);
  }
  if (end && hole.empty()) {
    auto lost = unrecovered_check(*plan, *end, input.faults, logs.tails);
    // After the workload's own checks, and before what is looked for in logs.
    const auto place = std::find_if(input.results.begin(), input.results.end(),
                                    [](const CheckResult& one) { return one.checker == "stats"; });
    if (lost) input.results.insert(place, *std::move(lost));
  }
  if (!end && is_at_work(run->path)) {
    conclude(input, "the run is still at work; this is what it had seen by now");
  } else {
    conclude(input, hole.empty() ? shortfall(*plan, end, environment, facts_of(input)) : hole);
  }
  const auto failure = failure_of(end, environment, input.faults);
  if (failure) input.failure = failure->message;
  input.environment = environment.facts();
  input.command = repeat_command(*plan);  // not what the directory says, which somebody may have written
  input.started_utc = environment.started_utc;
  input.worker_nodes = environment.worker_nodes(plan->concurrency);
  input.logs = logs.tails;
  input.title = fmt::format("{} {}", plan->target, plan->workload);
  if (const auto workload = find_workload(plan->workload)) input.promise = promise_of(**workload, plan->options);

  JudgedRun out;
  out.directory = run->path;
  out.verdict = input.verdict;
  out.reason = input.reason;
  out.failure = failure;
  out.facts = facts_of(input);
  out.summary = verdict_sentence(input, out.facts);
  out.results = results_value(input);
  out.results.set("directory", run->path);
  observer.stage("writing the report");
  if (auto written = write_files(input, out); !written) out.unwritten = written.error();
  out.checks = std::move(input.results);
  out.facts.operations.clear();
  return out;
}

}  // namespace ordeal
