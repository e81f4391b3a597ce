#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <sstream>

#include "base/names.h"
#include "base/version.h"
#include "checkers/model_catalogue.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/run_process.h"
#include "harness/interfaces/plan.h"
#include "nemesis/catalogue.h"
#include "session/campaign/campaign_settings.h"
#include "session/campaign/schema.h"
#include "targets/catalogue.h"
#include "workloads/catalogue.h"

namespace ordeal::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 valid (or done), 1 an anomaly was found, 2 inconclusive, 3 the run itself failed,\n"
    "64 wrong usage or unreadable input.";

// Given several times, and each time one KEY=VALUE: what follows is an argument of the command.
void add_settings(CLI::App& app, std::vector<std::string>& settings, const char* help) {
  app.add_option("--set", settings, help)->type_name("KEY=VALUE")->allow_extra_args(false);
}

void add_check(CLI::App& app, CheckCommand& command) {
  app.add_option("files", command.files, "history files; - is standard input")->required()->type_name("FILE");
  app.add_option("--model", command.model, "what the operations mean (ordeal list models); guessed when it is plain")
      ->type_name("MODEL");
  app.add_option("--workload", command.workload, "judge with the checkers of this workload")->type_name("WORKLOAD");
  app.add_option("--consistency", command.consistency, "the level to judge, or strongest")->type_name("LEVEL");
  app.add_option("--format", command.format, "auto, jsonl, edn, log, porcupine or json")
      ->type_name("FORMAT")
      ->capture_default_str();
  app.add_flag("--independent", command.independent, "values are [key value] tuples");
  app.add_option("--initial", command.initial, "initial value as JSON, or unknown")->type_name("VALUE");
  app.add_option("--nil-reads", command.nil_reads, "observe: an ok read of nil saw nil; unknown: it says nothing")
      ->type_name("WHAT")
      ->capture_default_str();
  app.add_option("--algorithm", command.algorithm, "auto, or the one to use")
      ->type_name("ALGORITHM")
      ->capture_default_str();
  app.add_option("--timeout", command.timeout, "seconds or 90s, 5m; 0: none")->type_name("TIME")->capture_default_str();
  app.add_option("--memory", command.memory, "the search's budget, e.g. 4G; half of what is free by default")
      ->type_name("SIZE");
  app.add_option("--threads", command.threads, "0: all cores")->type_name("N")->capture_default_str();
  app.add_option("--version-orders", command.version_orders,
                 "rw-register: take for granted that each key is sequential or linearizable (names with commas; "
                 "initial and wfr always hold)")
      ->type_name("NAMES");
  add_settings(app, command.settings, "an option of the workload's checkers, KEY=VALUE");
  app.add_flag("--json", command.json, "one JSON document on standard output");
  app.add_option("--report", command.report, "write an HTML report")->type_name("FILE.html");
  app.add_flag("--certificate", command.certificate, "when valid, print an order that explains the history");
}

// What is given of it goes into `given`, by name.
CLI::Option* add_setting(CLI::App& app, const PlanSetting& setting, std::map<std::string, std::string>& given) {
  const auto take = [&given, name = std::string(setting.name)](const std::string& text) { given[name] = text; };
  return app.add_option_function<std::string>(std::string("--") + setting.name, take, setting.help)
      ->type_name(setting.placeholder);
}

void add_run(CLI::App& app, RunCommand& command) {
  app.add_option("campaign", command.campaign, "a campaign file (TOML)")->type_name("CAMPAIGN.toml");
  for (const PlanSetting& setting : plan_settings()) {
    CLI::Option* option = add_setting(app, setting, command.flags);
    if (const std::string text = setting.default_text(); !text.empty()) option->default_str(text);
  }
  add_settings(app, command.settings, "an option of target, workload or fault, KEY=VALUE");
  app.add_flag_callback(
      "--keep-nodes", [&command] { command.settings.emplace_back("nodes.keep=true"); },
      "leave the nodes and what runs there after a run that failed or is invalid, to look around");
  for (const CampaignSetting& setting : campaign_settings()) {
    const auto take = [&command, name = std::string(setting.name)](const std::string& text) {
      command.campaign_flags[name] = text;
    };
    const std::string flag = std::string("--") + setting.name;
    if (*setting.placeholder == '\0') {
      app.add_flag_callback(
          flag, [take] { take("true"); }, setting.help);
    } else {
      app.add_option_function<std::string>(flag, take, setting.help)->type_name(setting.placeholder);
    }
  }
  app.add_option("--shard", command.shard, "play every N-th run of the campaign, from the I-th on; see ordeal merge")
      ->type_name("I/N");
  app.add_option("--resume", command.resume, "play on a campaign that was interrupted: its directory, or latest")
      ->type_name("DIR");
  app.add_flag("--json", command.json, "results.json on standard output; of a campaign one document with all runs");
  app.add_flag(
      "--dry-run", command.dry_run,
      "print the resolved plan and stop; of a campaign its runs, what they do with privilege, how long it takes");
}

void add_shrink(CLI::App& app, ShrinkCommand& command) {
  app.add_option("run", command.run, "a run's directory, e.g. store/latest")->required()->type_name("RUN");
  app.add_option("--anomaly", command.anomaly,
                 "what it must go on to show, by type or name in plain words; the first that it showed when absent")
      ->type_name("TYPE");
  app.add_option("-n,--times", command.times, "repetitions that confirm what is left in the end")
      ->type_name("N")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--budget", command.budget,
                 "no repetition begins that would not end by then, with time left to confirm; 0: as long as it takes")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--output", command.output, "where the campaign file is written; beside shrink.json when absent")
      ->type_name("FILE.toml");
  app.add_option("--store", command.store, "where shrunk/ is kept; beside the run when absent")->type_name("DIR");
  app.add_flag("--json", command.json, "one JSON document on standard output");
}

void add_adapter(CLI::App& app, AdapterCommand& command) {
  app.require_subcommand(1);
  CLI::App* test =
      app.add_subcommand("test", "case by case: does it keep to the protocol (targets/process/PROTOCOL.md)?");
  test->add_option("command", command.words, "the adapter and its arguments, after --")->required()->type_name("CMD");
  test->add_option("--operations", command.operations, "what it understands, by commas; it is asked when absent")
      ->type_name("NAMES");
  test->add_option("--environment", command.environment, "variables that it gets beside the usual ones, by commas")
      ->type_name("NAMES");
  test->add_option("--node", command.node, "name of the node that clients are told")
      ->type_name("NAME")
      ->capture_default_str();
  test->add_option("--address", command.address, "address of that node")->type_name("HOST")->capture_default_str();
  test->add_option("--endpoint", command.endpoint, "the endpoint that clients are told; none when absent")
      ->type_name("TEXT");
  test->add_option("--timeout", command.timeout, "deadline of each operation")
      ->type_name("TIME")
      ->capture_default_str();
  test->add_flag("--json", command.json, "one JSON document on standard output");
}

void add_nodes(CLI::App& app, NodesCommand& command) {
  app.require_subcommand(1);
  const auto verb = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    CLI::Option* named =
        sub->add_option("--name", command.name, "name of the cluster")->type_name("NAME")->capture_default_str();
    sub->callback([&command, name, named] {
      command.verb = name;
      command.name_given = named->count() > 0;
    });
    return sub;
  };
  CLI::App* up = verb("up", "bring up a local cluster and leave it up");
  up->add_option("--nodes", command.nodes, "local:N")->type_name("NODES")->capture_default_str();
  add_settings(*up, command.settings, "an option such as local.storage=DIR");
  verb("down", "take it down")->add_flag("--all", command.all, "all local clusters, those of running campaigns too");
  CLI::App* status = verb("status", "what is up");
  status->add_flag("--json", command.json, "one JSON document on standard output");
  CLI::App* exec = verb("exec", "run a command on nodes: exec n1 n2 -- uptime (all nodes when none is named)");
  exec->prefix_command();
  CLI::App* ssh = verb("ssh", "log in to a node");
  ssh->prefix_command();
}

// `nodes exec -- COMMAND` names no node and means all of them; CLI11 would take the "--" for its own, so "all" is put
// before it.
void name_all_nodes(std::vector<std::string>& words) {
  if (words.size() <= 3 || words[0] != "nodes" || words[1] != "exec") return;
  const auto mark = std::find(words.begin() + 2, words.end(), "--");
  const bool options_only = mark == words.begin() + 2 ||
                            (mark == words.begin() + 3 && words[2].starts_with("--name=")) ||
                            (mark == words.begin() + 4 && words[2] == "--name");
  if (mark != words.end() && options_only) words.insert(mark, "all");
}

template <class Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> out;
  for (const auto& one : entries) out.emplace_back(one.name);
  return out;
}

std::vector<std::string> levels() {
  std::vector<std::string> out = {"strongest"};
  for (const auto& model : model_catalogue()) {
    for (const auto& level : model.consistency) {
      if (std::find(out.begin(), out.end(), level) == out.end()) out.emplace_back(level);
    }
  }
  return out;
}

std::vector<std::string> anomalies() {
  std::vector<std::string> out;
  for (const auto& one : anomaly_catalogue()) {
    if (std::find(out.begin(), out.end(), one.name) == out.end()) out.push_back(one.name);
  }
  return out;
}

// The values of an option, by its name, and of arguments by place.
std::vector<std::string> choices_of(const std::string& option) {
  if (option == "--target") return names_of(targets());
  if (option == "--workload") return names_of(workloads());
  if (option == "--model") return names_of(model_catalogue());
  if (option == "--consistency") return levels();
  if (option == "--poisson") return {"true", "false"};
  if (option == "--format") return {"auto", "jsonl", "edn", "log", "porcupine", "json"};
  if (option == "--nil-reads") return {"observe", "unknown"};
  if (option == "what") return {"targets", "workloads", "faults", "checkers", "models", "anomalies"};
  if (option == "shell") return {"bash", "zsh"};
  if (option == "anomaly" || option == "--anomaly") return anomalies();
  if (option != "--nemesis") return {};
  auto faults_known = names_of(faults());
  faults_known.insert(faults_known.end(), {"all", "none"});
  return faults_known;
}

bool takes_file(const std::string& option) {
  static const std::vector<std::string> kFiles = {"files",       "campaign", "run",      "store",
                                                  "--store",     "--report", "--resume", "--output",
                                                  "directories", "before",   "after"};
  return std::find(kFiles.begin(), kFiles.end(), option) != kFiles.end();
}

CommandHelp help_of(const CLI::App& app) {
  CommandHelp out{app.get_name(), app.get_description(), {}, {}};
  for (const bool by_place : {true, false}) {
    for (const CLI::Option* option : app.get_options()) {
      const bool flag = !option->get_lnames().empty();
      if (flag == by_place) continue;
      OptionHelp one;
      const std::string name = flag ? "--" + option->get_lnames().front() : option->get_name(true);
      if (flag) one.flag = name;
      if (option->get_expected_max() > 0) one.placeholder = flag ? option->get_type_name() : name;
      one.help = option->get_description();
      one.default_text = option->get_default_str();
      one.choices = choices_of(name);
      one.list = name == "--nemesis";
      one.file = takes_file(name);
      one.many = option->get_items_expected_max() > 1;
      out.options.push_back(std::move(one));
    }
  }
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!command->get_group().empty()) out.commands.push_back(help_of(*command));
  }
  return out;
}

// The first of the words that stands where a subcommand is due and is none. CLI11 says of it that one is missing.
std::optional<Error> unknown_subcommand(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  for (const std::string& word : words) {
    std::vector<std::string> known;
    const CLI::App* found = nullptr;
    for (const CLI::App* sub : at->get_subcommands({})) {
      if (sub->get_group().empty()) continue;
      known.push_back(sub->get_name());
      if (sub->get_name() == word) found = sub;
    }
    if (known.empty() || word.starts_with('-')) return std::nullopt;
    if (found == nullptr) return unknown_name(at == &app ? "subcommand" : at->get_name() + " subcommand", word, known);
    at = found;
  }
  return std::nullopt;
}

}  // namespace

bool wants_json(const std::vector<std::string>& words) {
  const auto end = std::find(words.begin(), words.end(), "--");
  return std::find(words.begin(), end, "--json") != end;
}

struct CommandLine::Parts {
  CLI::App app{
      "Ordeal: puts a distributed system through an ordeal and says, with evidence, whether it kept its promises."};
  CheckCommand check;
  RunCommand run;
  MergeCommand merge;
  CompareCommand compare;
  StatsCommand stats;
  ReproCommand repro;
  ShrinkCommand shrink;
  ReportCommand report;
  ServeCommand serve;
  ListCommand list;
  ExplainCommand explain;
  AdapterCommand adapter;
  NodesCommand nodes;
  HealCommand heal;
  DoctorCommand doctor;
  CompletionCommand completion;
};

CommandLine::CommandLine() : parts_(std::make_unique<Parts>()) {
  Parts& it = *parts_;
  it.app.name("ordeal");
  it.app.footer(kExitCodes);
  it.app.require_subcommand(1);
  it.app.set_version_flag("--version", std::string("ordeal ") + kVersion);
  add_check(*it.app.add_subcommand("check", "judge histories that somebody recorded"), it.check);
  add_run(*it.app.add_subcommand("run", "run a workload on a target under faults, and judge it"), it.run);
  CLI::App* merge = it.app.add_subcommand("merge", "the results of shards as one campaign");
  merge->add_option("directories", it.merge.directories, "campaigns' directories, or stores: their newest campaign")
      ->required()
      ->type_name("DIR");
  merge->add_option("--store", it.merge.store, "where the merged campaign is kept")
      ->type_name("DIR")
      ->capture_default_str();
  merge->add_flag("--json", it.merge.json, "the campaign's document on standard output");
  CLI::App* compare = it.app.add_subcommand("compare", "two campaigns or runs: what is new, gone or slower");
  compare->add_option("before", it.compare.before, "a campaign's or a run's directory, or a store: its newest campaign")
      ->required()
      ->type_name("BEFORE");
  compare->add_option("after", it.compare.after, "the same, later")->required()->type_name("AFTER");
  compare->add_flag("--json", it.compare.json, "one JSON document on standard output");
  CLI::App* stats = it.app.add_subcommand("stats", "how often each kind of run came to each verdict, over a store");
  stats->add_option("store", it.stats.store, "the store's directory")->type_name("STORE")->capture_default_str();
  stats->add_flag("--json", it.stats.json, "one JSON document on standard output");
  CLI::App* repro = it.app.add_subcommand("repro", "play a stored run again and again: how often it shows the same");
  repro->add_option("run", it.repro.run, "a run's directory, e.g. store/latest")->required()->type_name("RUN");
  repro->add_option("-n,--times", it.repro.times, "how often")
      ->type_name("N")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  repro->add_option("--store", it.repro.store, "where the repetitions are kept; beside the run when absent")
      ->type_name("DIR");
  repro->add_flag("--json", it.repro.json, "the campaign's document, with the rates, on standard output");
  add_shrink(*it.app.add_subcommand("shrink", "a stored run made smaller while it still shows its anomaly"), it.shrink);
  CLI::App* report = it.app.add_subcommand("report", "check a stored run again and write its report anew");
  report->add_option("run", it.report.run, "a run's directory, e.g. store/latest")->required()->type_name("RUN");
  for (const char* limit : {"check-timeout", "memory"}) add_setting(*report, plan_setting(limit), it.report.limits);
  report->add_flag("--json", it.report.json, "results.json on standard output");
  CLI::App* serve = it.app.add_subcommand("serve", "browse the store in a browser, on loopback");
  serve->add_option("store", it.serve.store, "the store's directory")->type_name("STORE")->capture_default_str();
  serve->add_option("--port", it.serve.port, "TCP port; 0: any")->type_name("PORT")->capture_default_str();
  CLI::App* list = it.app.add_subcommand("list", "what there is to choose from");
  list->add_option("what", it.list.what, "targets, workloads, faults, checkers, models or anomalies; all when absent");
  list->add_option("name", it.list.name, "of the one to list; all when absent");
  list->add_flag("--json", it.list.json, "one JSON document on standard output");
  CLI::App* explain =
      it.app.add_subcommand("explain", "what an anomaly is: an example, which levels forbid it, sources");
  explain->add_option("anomaly", it.explain.anomaly, "its name (ordeal list anomalies)")
      ->required()
      ->type_name("ANOMALY");
  explain->add_flag("--history", it.explain.history, "print the example as a history, for ordeal check");
  explain->add_flag("--json", it.explain.json, "one JSON document on standard output");
  add_adapter(*it.app.add_subcommand("adapter", "adapters of the target process"), it.adapter);
  add_nodes(*it.app.add_subcommand("nodes", "the local cluster on its own"), it.nodes);
  CLI::App* heal = it.app.add_subcommand("heal", "undo whatever faults the ledger says are still in force");
  heal->add_option("run", it.heal.run, "a run's directory; store/latest when neither is given")->type_name("RUN");
  heal->add_option("--nodes", it.heal.nodes, "look for undo scripts on these nodes instead")->type_name("NODES");
  heal->add_flag("--trust-ledger", it.heal.trust_ledger,
                 "run what RUN's ledger says on the nodes that it names, as root, whoever wrote it");
  heal->add_flag("--json", it.heal.json, "one JSON document on standard output");
  CLI::App* doctor = it.app.add_subcommand("doctor", "what this machine can and cannot do, and what to install");
  doctor->add_flag("--json", it.doctor.json, "one JSON document on standard output");
  CLI::App* completion = it.app.add_subcommand("completion", "print a script that completes these commands in a shell");
  completion->add_option("shell", it.completion.shell, "bash or zsh")->required()->type_name("SHELL");
  // What a campaign starts for each of several runs side by side; in no group, so that no help and no completion has
  // it.
  it.app.add_subcommand(kPlayRun, "")->group("");
  it.app.add_subcommand("schema", "print the JSON Schema of campaign files, for editors");
  it.app.add_subcommand("manual", "print the manual page, for man -l -");
}

CommandLine::~CommandLine() = default;

CommandHelp CommandLine::help() const { return help_of(parts_->app); }

int CommandLine::run(std::vector<std::string> words) {
  Parts& it = *parts_;
  const bool json = wants_json(words);
  if (words.empty() || words.front() != kPlayRun) {
    if (const auto unknown = unknown_subcommand(it.app, words)) return refuse(*unknown, json);
  }
  name_all_nodes(words);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    it.app.parse(std::move(words));
  } catch (const CLI::ParseError& e) {
    // CLI11 has exit codes of its own: 0 for --help and --version, others for wrong usage.
    std::ostringstream out, problem;
    const int code = it.app.exit(e, out, problem);
    print(out.str());
    if (code == 0) return kValid;
    const std::string words_of_it = problem.str();
    say(words_of_it.substr(0, words_of_it.find_last_not_of('\n') + 1));
    if (json) print(error_document({ErrorCode::usage, e.what()}).to_json() + "\n");
    return kUsage;
  }
  CLI::App* chosen = it.app.get_subcommands().front();
  const std::string name = chosen->get_name();
  if (name == "check") return check(it.check);
  if (name == "run") return cli::run(it.run);
  if (name == "merge") return cli::merge(it.merge);
  if (name == "compare") return cli::compare(it.compare);
  if (name == "stats") return cli::stats(it.stats);
  if (name == "repro") return cli::repro(it.repro);
  if (name == "shrink") return cli::shrink(it.shrink);
  if (name == "report") return report(it.report);
  if (name == "serve") return serve(it.serve);
  if (name == "list") return list(it.list);
  if (name == "explain") return cli::explain(it.explain);
  if (name == "adapter") return test_adapter(it.adapter);
  if (name == "heal") return heal(it.heal);
  if (name == "doctor") return doctor(it.doctor);
  if (name == "nodes") {
    for (CLI::App* sub : chosen->get_subcommands()) it.nodes.words = sub->remaining();
    return nodes(it.nodes);
  }
  if (name == kPlayRun) play_run();
  if (name == "schema") {
    print(campaign_schema().to_json() + "\n");
    return kValid;
  }
  if (name == "manual") {
    print(manual_page(help(), kVersion));
    return kValid;
  }
  if (it.completion.shell != "bash" && it.completion.shell != "zsh") {
    return refuse(unknown_name("shell", it.completion.shell, {"bash", "zsh"}), false);
  }
  print((it.completion.shell == "bash" ? bash_completion(help()) : zsh_completion(help())));
  return kValid;
}

}  // namespace ordeal::cli
