// `ordeal run`: from a command line to plans, and from each plan to a verdict.

#include <fmt/format.h>

#include <cstdio>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/print_run.h"
#include "cli/signals.h"
#include "harness/runner/stuck.h"
#include "session/resolve_plan.h"
#include "session/run_session.h"

namespace ordeal::cli {
namespace {

// The runs that a command line asks for: one, or the matrix of its campaign file. Flags win over the file.
// Errors: usage.
Result<std::vector<RunRequest>> requests(const RunCommand& command) {
  std::vector<RunRequest> runs(1);
  if (!command.campaign.empty()) {
    auto read = read_campaign(command.campaign);
    if (!read) return fail(read.error());
    runs = *std::move(read);
  }
  for (RunRequest& run : runs) {
    for (const auto& [name, text] : command.flags) run.flags[name] = Given{text, "--" + name};
    for (const auto& setting : command.settings) {
      auto pair = key_value(setting);
      if (!pair) return fail(pair.error().during("--set"));
      run.settings[pair->first] = Given{pair->second, "--set"};
    }
  }
  return runs;
}

// Every run of the command line, resolved. Errors: usage.
Result<std::vector<Plan>> plans_of(const RunCommand& command) {
  auto asked = requests(command);
  if (!asked) return fail(asked.error());
  std::vector<Plan> plans;
  for (const auto& request : *asked) {
    auto plan = resolve(request);
    if (!plan) return fail(plan.error());
    plans.push_back(*std::move(plan));
  }
  return plans;
}

struct Ended {
  ExitCode code = kRunFailed;
  Value document = Value::map();
};

Ended run_one(const Plan& plan, bool json, const RunStops& stops) {
  say(fmt::format("{} {} on {}, {} s, seed {}{}", plan.target, plan.workload, plan.nodes, plan.time_limit_s, plan.seed,
                  plan.nemesis.empty() ? "" : ", with faults"));
  Terminal terminal;
  const auto judged = run_and_judge(plan, terminal, stops);
  end_progress();
  if (!judged) {
    complain(judged.error());
    return {exit_code(judged.error()), error_document(judged.error())};
  }
  if (judged->facts.all.total() == 0) {
    complain(judged->failure ? *judged->failure : Error{ErrorCode::cancelled, judged->reason});
    say("the run's directory: " + judged->directory);
  } else if (!json) {
    print_judged(*judged);
  }
  if (judged->unwritten) complain(*judged->unwritten);
  return {exit_code(*judged), judged->results};
}

Ended not_started(std::size_t number, std::size_t of) {
  const Error why{ErrorCode::cancelled, fmt::format("run {} of {} was not started: interrupted before", number, of)};
  complain(why);
  return {kUnknown, error_document(why)};
}

void print_document(const Value& documents) {
  print((documents.items().size() == 1 ? documents.items().front() : documents).to_json() + "\n");
}

}  // namespace

int run(const RunCommand& command) {
  const auto plans = plans_of(command);
  if (!plans) return refuse(plans.error(), command.json);
  Value documents = Value::list();
  if (command.dry_run) {
    for (const auto& plan : *plans) documents.items().push_back(plan.to_value());
    print_document(documents);
    return kValid;
  }
  std::vector<ExitCode> codes;
  {
    const SignalStop signals(
        {"stopping: healing, collecting and judging what there is (again: without waiting for the checkers)",
         "not waiting for the checkers; `ordeal report` judges the run later (again: leave at once)"});
    for (const auto& plan : *plans) {
      const std::size_t number = codes.size() + 1;
      if (plans->size() > 1 && !command.json) print(fmt::format("── run {} of {}\n", number, plans->size()));
      std::fflush(stdout);
      Ended ended = signals.token().stop_requested()
                        ? not_started(number, plans->size())
                        : run_one(plan, command.json, {signals.token(0), signals.token(1)});
      codes.push_back(ended.code);
      documents.items().push_back(std::move(ended.document));
    }
  }
  if (command.json) print_document(documents);
  leave(delivered(worst(codes)));
}

}  // namespace ordeal::cli
