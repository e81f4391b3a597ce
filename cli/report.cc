// `ordeal report`: checks a stored run again and writes its report anew.

#include <cstdio>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/print_run.h"
#include "session/judge.h"

namespace ordeal::cli {

int report(const ReportCommand& command) {
  Terminal terminal;
  auto judged = judge_run(command.run, terminal);
  if (!judged) {
    Error error = judged.error();
    // The argument does not name a readable run: that is wrong usage, not a run that failed.
    if (error.code == ErrorCode::not_found) error.code = ErrorCode::usage;
    return refuse(error, command.json);
  }
  if (command.json) {
    std::printf("%s\n", judged->results.to_json().c_str());
  } else {
    print_judged(*judged);
  }
  return exit_code(*judged);
}

}  // namespace ordeal::cli
