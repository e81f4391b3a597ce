// `ordeal report`: checks a stored run again and writes its report anew.

#include <cstdio>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "session/judge.h"

namespace ordeal::cli {

int report(const ReportCommand& command) {
  auto judged = judge_run(command.run, {});
  if (!judged) {
    complain(judged.error());
    // The argument does not name a readable run: that is wrong usage, not a run that failed.
    return judged.error().code == ErrorCode::not_found ? kUsage : exit_code(judged.error());
  }
  if (command.json) {
    std::printf("%s\n", judged->results.to_json().c_str());
  } else {
    print_judged(*judged);
  }
  return exit_code(judged->verdict);
}

}  // namespace ordeal::cli
