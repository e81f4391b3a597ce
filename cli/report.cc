// `ordeal report`: checks a stored run again and writes its report anew.

#include <chrono>
#include <cstdio>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/print_run.h"
#include "cli/signals.h"
#include "harness/interfaces/plan.h"
#include "session/judge.h"

namespace ordeal::cli {
namespace {

// Those that are given; what is not is as the run's plan says. Errors: usage.
Result<JudgeLimits> limits_of(const ReportCommand& command) {
  Plan given;
  for (const auto& [name, text] : command.limits) {
    if (auto set = plan_setting(name).set(given, text); !set) return fail(set.error().during("--" + name));
  }
  JudgeLimits out;
  if (command.limits.contains("check-timeout")) {
    out.timeout = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(given.check_timeout_s));
  }
  if (command.limits.contains("memory")) out.memory_bytes = given.check_memory;
  return out;
}

}  // namespace

int report(const ReportCommand& command) {
  auto limits = limits_of(command);
  if (!limits) return refuse(limits.error(), command.json);
  const SignalStop signals({"not waiting for the checkers (again: leave at once)"});
  limits->stop = signals.token();
  Terminal terminal;
  auto judged = judge_run(command.run, terminal, *limits);
  if (!judged) {
    Error error = judged.error();
    // The argument does not name a readable run: that is wrong usage, not a run that failed.
    if (error.code == ErrorCode::not_found) error.code = ErrorCode::usage;
    return refuse(error, command.json);
  }
  if (command.json) {
    print(judged->results.to_json() + "\n");
  } else {
    print_judged(*judged);
  }
  if (judged->unwritten) complain(*judged->unwritten);
  return exit_code(*judged);
}

}  // namespace ordeal::cli
