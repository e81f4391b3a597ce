// ordeal-log-sim: simulated runs of consensus by the thousand, with or without a planted bug.
//
//   ordeal-log-sim --seeds 10000                     the correct build: exit code 1 and the shrunk run if anything is
//   wrong ordeal-log-sim --seed 17 --trace                 one run, told step by step ordeal-log-sim --seeds 1000 --bug
//   NAME|all       a table: which bug was found, at which seed, by what ordeal-log-sim --seed 17 --faults 2,5
//   --operations 40 [--bug NAME]   a shrunk run again

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "targets/log/server/bugs.h"
#include "targets/log/server/sim/run.h"

namespace ordeal::log::sim {
namespace {

struct Arguments {
  std::uint64_t seeds = 1000, first = 1;
  std::optional<std::uint64_t> seed;
  std::optional<std::string> bug;
  std::optional<std::vector<std::size_t>> faults;
  std::optional<unsigned> operations;
  unsigned threads = 2;
  bool trace = false, list = false, stop = true;
};

Plan plan_of(std::uint64_t seed, const Arguments& arguments) {
  Plan plan = draw_plan(seed);
  if (arguments.operations) plan.operations = *arguments.operations;
  if (arguments.faults) {
    std::erase_if(plan.faults, [&](const Fault& fault) {
      return std::find(arguments.faults->begin(), arguments.faults->end(), fault.number) == arguments.faults->end();
    });
  }
  return plan;
}

std::string command_of(const Plan& plan, const Arguments& arguments) {
  std::string faults;
  for (const Fault& fault : plan.faults) faults += (faults.empty() ? "" : ",") + std::to_string(fault.number);
  if (faults.empty()) faults = "none";
  return fmt::format("ordeal-log-sim --seed {} --faults {} --operations {}{}", plan.seed, faults, plan.operations,
                     planted_bug == Bug::none ? "" : " --bug " + *arguments.bug);
}

void print(const RunResult& result) {
  if (result.violation) {
    fmt::print("{} at {} ms: {}\n", result.violation->kind, result.violation->at / kMillisecond,
               result.violation->what);
  } else {
    fmt::print("nothing wrong\n");
  }
  fmt::print(
      "events {}, operations ok {} failed {} unknown {}, committed {}, terms led {}, restarts {}, snapshots installed "
      "{}, "
      "changes of members {}, messages refused {}, digest {:016x}\n",
      result.events, result.operations_ok, result.operations_failed, result.operations_unknown, result.committed,
      result.terms_led, result.restarts, result.snapshots_installed, result.members_changed, result.messages_refused,
      result.digest);
}

struct Found {
  std::uint64_t seed = 0;
  Violation violation;
};

struct Tally {
  std::optional<Found> first;  // the one of the lowest seed
  std::uint64_t runs = 0, violations = 0;
  RunResult sum;
};

// Runs seeds on several threads until all are done or, when asked to, one fails.
Tally run_seeds(const Arguments& arguments) {
  Tally tally;
  std::mutex mutex;
  std::atomic<std::uint64_t> next{arguments.first};
  std::atomic<bool> stop{false};
  const auto work = [&] {
    for (;;) {
      const std::uint64_t seed = next++;
      if (seed >= arguments.first + arguments.seeds || stop) return;
      const RunResult result = run(plan_of(seed, arguments));
      const std::scoped_lock lock(mutex);
      ++tally.runs;
      tally.sum.events += result.events;
      tally.sum.operations_ok += result.operations_ok;
      tally.sum.operations_failed += result.operations_failed;
      tally.sum.operations_unknown += result.operations_unknown;
      tally.sum.committed += result.committed;
      tally.sum.terms_led += result.terms_led;
      tally.sum.restarts += result.restarts;
      tally.sum.snapshots_installed += result.snapshots_installed;
      tally.sum.members_changed += result.members_changed;
      tally.sum.messages_refused += result.messages_refused;
      tally.sum.digest ^= result.digest;
      if (!result.violation) continue;
      ++tally.violations;
      if (!tally.first || seed < tally.first->seed) tally.first = Found{seed, *result.violation};
      if (arguments.stop) stop = true;
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < std::max(1U, arguments.threads); ++i) threads.emplace_back(work);
  threads.clear();
  return tally;
}

void print_shrunk(const Found& found, const Arguments& arguments) {
  const Shrunk shrunk = shrink(plan_of(found.seed, arguments), found.violation);
  fmt::print("shrunk in {} runs to {} faults and {} operations:\n", shrunk.runs, shrunk.plan.faults.size(),
             shrunk.plan.operations);
  for (const Fault& fault : shrunk.plan.faults) fmt::print("  {}\n", describe(fault));
  print(shrunk.result);
  fmt::print("again: {}\n", command_of(shrunk.plan, arguments));
}

int run_one(const Arguments& arguments) {
  const Plan plan = plan_of(*arguments.seed, arguments);
  const RunResult result = run(plan, arguments.trace);
  for (const std::string& line : result.trace) fmt::print("{}\n", line);
  print(result);
  if (result.violation && !arguments.faults) print_shrunk({plan.seed, *result.violation}, arguments);
  return result.violation ? 1 : 0;
}

int run_many(const Arguments& arguments) {
  const Tally tally = run_seeds(arguments);
  fmt::print("{} seeds, {} with a violation; ", tally.runs, tally.violations);
  RunResult sum = tally.sum;
  if (tally.first) sum.violation = tally.first->violation;
  print(sum);
  if (!tally.first) return 0;
  fmt::print("seed {}\n", tally.first->seed);
  print_shrunk(*tally.first, arguments);
  return 1;
}

int run_bugs(const Arguments& arguments, const std::vector<BugEntry>& bugs) {
  fmt::print("| bug | found at seed | by |\n|---|---|---|\n");
  std::size_t found = 0;
  for (const BugEntry& entry : bugs) {
    planted_bug = entry.bug;
    const Tally tally = run_seeds(arguments);
    if (tally.first) ++found;
    fmt::print("| {} | {} | {} |\n", entry.name, tally.first ? std::to_string(tally.first->seed) : "not found",
               tally.first ? tally.first->violation.kind : "-");
    std::fflush(stdout);
  }
  planted_bug = Bug::none;
  fmt::print("{} of {} found within {} seeds\n", found, bugs.size(), arguments.seeds);
  return found * 100 >= bugs.size() * 95 ? 0 : 1;
}

int main_of(const Arguments& arguments) {
  std::vector<BugEntry> bugs;
  for (const BugEntry& entry : kBugs) {
    if (entry.room == "raft") bugs.push_back(entry);
  }
  if (arguments.list) {
    for (const BugEntry& entry : bugs) fmt::print("{}: {} ({})\n", entry.name, entry.what, entry.report);
    return 0;
  }
  if (arguments.bug && *arguments.bug == "all") return run_bugs(arguments, bugs);
  if (arguments.bug) {
    const std::optional<Bug> bug = bug_named(*arguments.bug);
    if (!bug) {
      fmt::print(stderr, "ordeal-log-sim: no bug is called {}; --list names them all\n", *arguments.bug);
      return 64;
    }
    planted_bug = *bug;
  }
  return arguments.seed ? run_one(arguments) : run_many(arguments);
}

}  // namespace
}  // namespace ordeal::log::sim

int main(int argc, char** argv) {
  ordeal::log::sim::Arguments arguments;
  std::string faults;
  bool go_on = false;
  CLI::App app{"Simulated runs of ordeal-log's consensus"};
  app.add_option("--seeds", arguments.seeds, "How many seeds to run")->check(CLI::PositiveNumber);
  app.add_option("--first", arguments.first, "The first of them");
  app.add_option("--seed", arguments.seed, "Run this one only, and shrink it if it fails");
  app.add_option("--bug", arguments.bug, "Plant this bug; all: one after the other, as a table");
  app.add_option("--faults", faults, "Only these faults of the plan: 2,5 or none");
  app.add_option("--operations", arguments.operations, "How many operations clients begin");
  app.add_option("--threads", arguments.threads, "How many runs at once")->check(CLI::Range(1, 64));
  app.add_flag("--trace", arguments.trace, "Tell the run step by step");
  app.add_flag("--go-on", go_on, "Do not stop at the first violation");
  app.add_flag("--list", arguments.list, "Name the planted bugs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 64;
  }
  arguments.stop = !go_on;
  if (!faults.empty()) {
    arguments.faults.emplace();
    for (std::size_t at = 0; faults != "none" && at <= faults.size();) {
      const std::size_t comma = std::min(faults.find(',', at), faults.size());
      std::size_t number = 0;
      if (!CLI::detail::lexical_cast(faults.substr(at, comma - at), number)) {
        fmt::print(stderr, "ordeal-log-sim: --faults: a list of numbers such as 2,5, or none, not {}\n", faults);
        return 64;
      }
      arguments.faults->push_back(number);
      at = comma + 1;
    }
  }
  return ordeal::log::sim::main_of(arguments);
}
