// `ordeal heal`: undoes whatever faults a ledger, or the nodes themselves, say are still in force.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "harness/nodes/cluster_state.h"
#include "harness/nodes/node_source.h"
#include "harness/store/own_file.h"
#include "harness/store/run_contents.h"
#include "harness/store/run_directory.h"
#include "nemesis/engine/ledger.h"
#include "session/node_records.h"

namespace ordeal::cli {
namespace {

constexpr auto kDeadline = std::chrono::seconds(60);

// An inventory may name a file of settings, and that a program of this machine. One that came with the store is the
// store's word, also when whoever unpacked it owns it now.
Result<void> check_inventory(const std::string& ledger, const std::string& inventory) {
  namespace fs = std::filesystem;
  if (auto own = check_own_file(inventory); !own) return own;
  std::error_code error;
  const fs::path store = fs::canonical(ledger, error).parent_path().parent_path().parent_path();
  const fs::path file = fs::canonical(inventory, error);
  if (std::mismatch(store.begin(), store.end(), file.begin(), file.end()).first != store.end()) return {};
  return fail(ErrorCode::permission, fmt::format("the inventory {} lies in the store itself", inventory));
}

// A ledger names machines, and a file of theirs how they are reached; both are done as root.
Result<void> check_origin(const std::string& path, const std::string& nodes) {
  static constexpr std::string_view kInventory = "ssh:";
  auto own = check_own_file(path);
  if (own && nodes.starts_with(kInventory)) own = check_inventory(path, nodes.substr(kInventory.size()));
  if (own) return own;
  return fail(ErrorCode::usage,
              fmt::format("{}. What a ledger says is done as root on the nodes that it names, so that it must be your "
                          "own. `ordeal heal --nodes …` heals by what the nodes themselves have kept; or read the "
                          "ledger first, and then give --trust-ledger",
                          own.error().message));
}

Result<HealReport> heal_run(const std::string& run, bool trust) {
  const std::string path = std::filesystem::is_directory(run) ? run + "/ledger.jsonl" : run;
  if (std::filesystem::is_directory(run) && !std::filesystem::exists(path)) {
    if (std::filesystem::exists(run + "/plan.json")) return HealReport{};  // a run without faults
    return fail(ErrorCode::usage,
                fmt::format("{} is no run's directory: it has neither ledger.jsonl nor plan.json", run));
  }
  if (std::filesystem::exists(path) && std::filesystem::is_directory(run)) {
    if (auto clean = check_run_contents(run); !clean) return fail(clean.error());
  }
  auto ledger = read_ledger(path);
  if (!ledger) {
    Error error = ledger.error();
    if (error.code == ErrorCode::not_found || error.code == ErrorCode::io) error.code = ErrorCode::usage;
    return fail(error);
  }
  if (ledger->torn > 0) {
    say(fmt::format("{}: skipped {} that cannot be read; whoever writes it and is killed leaves one", path,
                    ledger->torn == 1 ? "a line" : fmt::format("{} lines", ledger->torn)));
  }
  if (ledger->open.empty()) return HealReport{};
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const bool at_work = is_at_work(directory.empty() ? "." : directory);
  std::string where = ledger->nodes;
  if (const auto kept = kept_cluster(directory.empty() ? "." : directory)) where = "ssh:" + kept->inventory_file();
  // They die with their controller, and everything in force on them with them.
  if (nodes::are_made_for_run(where)) {
    if (at_work) {
      return fail(ErrorCode::target,
                  fmt::format("the run of {} is still at work on nodes of its own, and what is in force there is part "
                              "of it: end the run (Ctrl-C, SIGTERM), which heals first",
                              run));
    }
    HealReport report;
    for (const auto& entry : ledger->open) {
      for (const auto& undo : entry.undo) {
        report.steps.push_back(
            {entry.id, undo.node, true, "the node was made for the run and is gone, and the fault with it"});
      }
    }
    return report;
  }
  if (at_work) {
    say(
        fmt::format("the run of {} is still at work: its faults are lifted before their time, and what it says of them "
                    "is not what happened",
                    run));
  }
  if (!trust) {
    if (auto own = check_origin(path, where); !own) return fail(own.error());
  }
  auto opened = nodes::open_nodes(where);
  if (!opened) return fail(opened.error().during("--nodes " + where));
  return heal_ledger(path, opened->cluster, trust ? Trust::ledger : Trust::node,
                     std::chrono::steady_clock::now() + kDeadline);
}

Result<HealReport> heal_specified(const std::string& specification) {
  auto opened = nodes::open_nodes(specification);
  if (!opened) return fail(opened.error().during("--nodes " + specification));
  return heal_nodes(opened->cluster, std::chrono::steady_clock::now() + kDeadline);
}

}  // namespace

int heal(const HealCommand& command) {
  if (!command.run.empty() && !command.nodes.empty()) {
    return refuse({ErrorCode::usage, "give a run's directory or --nodes, not both"}, command.json);
  }
  if (command.trust_ledger && !command.nodes.empty()) {
    return refuse({ErrorCode::usage, "--trust-ledger is about a run's ledger; with --nodes none is read"},
                  command.json);
  }
  if (nodes::are_made_for_run(command.nodes)) {
    return refuse({ErrorCode::usage,
                   fmt::format("--nodes {} would bring up new nodes: those of a run vanish with it, and all that was "
                               "done to them. For a cluster of `ordeal nodes up` give ssh:FILE with its inventory "
                               "(ordeal nodes status)",
                               command.nodes)},
                  command.json);
  }
  (void)nodes::list_clusters(nodes::default_runtime_directory());  // what clusters left that were killed
  auto report = command.nodes.empty()
                    ? heal_run(command.run.empty() ? "store/latest" : command.run, command.trust_ledger)
                    : heal_specified(command.nodes);
  if (!report) {
    return refuse(report.error(), command.json);
  }
  if (command.json) {
    Value out = Value::map();
    out.set("healed", report->healed());
    Value steps = Value::list();
    for (const auto& step : report->steps) {
      Value one = Value::map();
      one.set("id", step.id);
      one.set("node", step.node);
      one.set("done", step.done);
      one.set("message", step.message);
      steps.items().push_back(std::move(one));
    }
    out.set("steps", std::move(steps));
    print(out.to_json() + "\n");
  } else if (report->steps.empty()) {
    print("nothing to heal: no fault is in force\n");
  } else {
    for (const auto& step : report->steps) {
      print(fmt::format("{:<7} {}\n", step.done ? "healed" : "FAILED",
                        visible_in_line(fmt::format("{} on {}: {}", step.id, step.node, step.message))));
    }
  }
  return report->healed() ? kValid : kRunFailed;
}

}  // namespace ordeal::cli
