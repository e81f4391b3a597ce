// The command line of Ordeal: parses with CLI11 and calls one function per subcommand.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"

namespace ordeal::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 valid (or done), 1 an anomaly was found, 2 inconclusive, 3 the run itself failed,\n"
    "64 wrong usage or unreadable input.";

void add_check(CLI::App& app, CheckCommand& command) {
  app.add_option("files", command.files, "history files; - is standard input")->required()->type_name("FILE");
  app.add_option("--model", command.model, "what the operations mean (ordeal list models); guessed when it is plain");
  app.add_option("--workload", command.workload, "judge with the checkers of this workload");
  app.add_option("--consistency", command.consistency, "the level to judge, or strongest");
  app.add_option("--format", command.format, "auto, jsonl, edn, log, porcupine or json")->capture_default_str();
  app.add_flag("--independent", command.independent, "values are [key value] tuples");
  app.add_option("--initial", command.initial, "initial value as JSON, or unknown")->type_name("VALUE");
  app.add_option("--nil-reads", command.nil_reads, "observe: an ok read of nil saw nil; unknown: it says nothing")
      ->capture_default_str();
  app.add_option("--algorithm", command.algorithm, "auto, or the one to use")->capture_default_str();
  app.add_option("--timeout", command.timeout_s, "seconds; 0: none")->capture_default_str();
  app.add_option("--memory", command.memory, "the search's budget, e.g. 4G; three quarters of what is free by default");
  app.add_option("--threads", command.threads, "0: all cores")->capture_default_str();
  app.add_option("--version-orders", command.version_orders,
                 "rw-register: take for granted that each key is sequential or linearizable (names with commas; "
                 "initial and wfr always hold)");
  app.add_option("--set", command.settings, "an option of the workload's checkers, KEY=VALUE")->type_name("KEY=VALUE");
  app.add_flag("--json", command.json, "one JSON document on standard output");
  app.add_option("--report", command.report, "write an HTML report")->type_name("FILE.html");
  app.add_flag("--certificate", command.certificate, "when valid, print an order that explains the history");
}

void add_run(CLI::App& app, RunCommand& command) {
  app.add_option("campaign", command.campaign, "a campaign file (TOML)")->type_name("CAMPAIGN.toml");
  app.add_option("--target", command.target, "the system under test (ordeal list targets)");
  app.add_option("--workload", command.workload, "what the clients do (ordeal list workloads)");
  app.add_option("--nemesis", command.nemesis, "faults, separated by commas (ordeal list faults), all, or none");
  app.add_option("--nodes", command.nodes, "local:5, ssh:FILE or h1,h2,…");
  app.add_option("--time-limit", command.time_limit, "length of the main phase, seconds or 90s, 5m");
  app.add_option("--rate", command.rate, "operations a second over all workers, or unlimited");
  app.add_option("--concurrency", command.concurrency, "workers");
  app.add_option("--seed", command.seed, "seed of the schedule; drawn when absent");
  app.add_option("--set", command.settings, "an option of target, workload or fault, KEY=VALUE")
      ->type_name("KEY=VALUE");
  app.add_option("--store", command.store, "where runs are kept");
  app.add_option("--name", command.name, "name of the run in the store");
  app.add_option("--op-timeout", command.op_timeout, "deadline of one operation");
  app.add_option("--nemesis-interval", command.nemesis_interval, "from one healing to the next fault");
  app.add_option("--nemesis-duration", command.nemesis_duration, "how long a fault is in force");
  app.add_option("--recovery", command.recovery, "how long the target may take to serve again after healing");
  app.add_flag("--json", command.json, "results.json on standard output");
  app.add_flag("--dry-run", command.dry_run, "print the resolved plan and stop");
}

void add_nodes(CLI::App& app, NodesCommand& command) {
  app.require_subcommand(1);
  const auto verb = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    CLI::Option* named = sub->add_option("--name", command.name, "name of the cluster")->capture_default_str();
    sub->callback([&command, name, named] {
      command.verb = name;
      command.name_given = named->count() > 0;
    });
    return sub;
  };
  CLI::App* up = verb("up", "bring up a local cluster and leave it up");
  up->add_option("--nodes", command.nodes, "local:N")->capture_default_str();
  up->add_option("--set", command.settings, "an option such as local.storage=DIR")->type_name("KEY=VALUE");
  verb("down", "take it down")->add_flag("--all", command.all, "all local clusters, those of running campaigns too");
  CLI::App* status = verb("status", "what is up");
  status->add_flag("--json", command.json, "one JSON document on standard output");
  CLI::App* exec = verb("exec", "run a command on nodes: exec n1 n2 -- uptime (all nodes when none is named)");
  exec->prefix_command();
  CLI::App* ssh = verb("ssh", "log in to a node");
  ssh->prefix_command();
}

// The command line, last word first as CLI11 takes it. `nodes exec -- COMMAND` names no node and means all of them;
// CLI11 would take the "--" for its own, so "all" is put before it.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() > 3 && words[0] == "nodes" && words[1] == "exec") {
    const auto mark = std::find(words.begin() + 2, words.end(), "--");
    const bool options_only = mark == words.begin() + 2 ||
                              (mark == words.begin() + 3 && words[2].starts_with("--name=")) ||
                              (mark == words.begin() + 4 && words[2] == "--name");
    if (mark != words.end() && options_only) words.insert(mark, "all");
  }
  std::reverse(words.begin(), words.end());
  return words;
}

int dispatch(int argc, char** argv) {
  CLI::App app{
      "Ordeal: puts a distributed system through an ordeal and says, with evidence, whether it kept its promises."};
  app.footer(kExitCodes);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("ordeal ") + kVersion);

  CheckCommand check_command;
  CLI::App* check_app = app.add_subcommand("check", "judge histories that somebody recorded");
  add_check(*check_app, check_command);
  RunCommand run_command;
  CLI::App* run_app = app.add_subcommand("run", "run a workload on a target under faults, and judge it");
  add_run(*run_app, run_command);
  ReportCommand report_command;
  CLI::App* report_app = app.add_subcommand("report", "check a stored run again and write its report anew");
  report_app->add_option("run", report_command.run, "a run's directory, e.g. store/latest")->required();
  report_app->add_flag("--json", report_command.json, "results.json on standard output");
  ServeCommand serve_command;
  CLI::App* serve_app = app.add_subcommand("serve", "browse the store in a browser, on loopback");
  serve_app->add_option("store", serve_command.store, "the store's directory")->capture_default_str();
  serve_app->add_option("--port", serve_command.port, "TCP port; 0: any")->capture_default_str();
  ListCommand list_command;
  CLI::App* list_app = app.add_subcommand("list", "what there is to choose from");
  list_app->add_option("what", list_command.what,
                       "targets, workloads, faults, checkers, models or anomalies; all when absent");
  list_app->add_option("name", list_command.name, "of the one to list; all when absent");
  list_app->add_flag("--json", list_command.json, "one JSON document on standard output");
  NodesCommand nodes_command;
  CLI::App* nodes_app = app.add_subcommand("nodes", "the local cluster on its own");
  add_nodes(*nodes_app, nodes_command);
  HealCommand heal_command;
  CLI::App* heal_app = app.add_subcommand("heal", "undo whatever faults the ledger says are still in force");
  heal_app->add_option("run", heal_command.run, "a run's directory; store/latest when neither is given");
  heal_app->add_option("--nodes", heal_command.nodes, "look for undo scripts on these nodes instead");
  heal_app->add_flag("--json", heal_command.json, "one JSON document on standard output");
  DoctorCommand doctor_command;
  CLI::App* doctor_app = app.add_subcommand("doctor", "what this machine can and cannot do, and what to install");
  doctor_app->add_flag("--json", doctor_command.json, "one JSON document on standard output");

  if (argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> known;
    for (const CLI::App* sub : app.get_subcommands({})) known.push_back(sub->get_name());
    if (std::find(known.begin(), known.end(), argv[1]) == known.end()) {
      complain(unknown_name("subcommand", argv[1], known));
      return kUsage;
    }
  }
  try {
    app.parse(arguments(argc, argv));
  } catch (const CLI::ParseError& e) {
    // CLI11 has exit codes of its own: 0 for --help and --version, others for wrong usage.
    return app.exit(e) == 0 ? kValid : kUsage;
  }
  if (*check_app) return check(check_command);
  if (*run_app) return run(run_command);
  if (*report_app) return report(report_command);
  if (*serve_app) return serve(serve_command);
  if (*list_app) return list(list_command);
  if (*nodes_app) {
    for (CLI::App* sub : nodes_app->get_subcommands()) nodes_command.words = sub->remaining();
    return nodes(nodes_command);
  }
  if (*heal_app) return heal(heal_command);
  return doctor(doctor_command);
}

}  // namespace
}  // namespace ordeal::cli

int main(int argc, char** argv) {
  // A reader that goes away (`ordeal list | head`) or a peer that closes is an error to handle, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return ordeal::cli::dispatch(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "ordeal: something went wrong that should not: %s\n", problem.what());
    return ordeal::cli::kRunFailed;
  }
}
