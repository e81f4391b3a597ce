// The program: hands its words to the command line, and ends no other way than by an exit code of ours.

#include <csignal>
#include <cstdio>
#include <exception>

#include "cli/command_line.h"
#include "cli/exit_code.h"

int main(int argc, char** argv) {
  // A reader that goes away (`ordeal list | head`) or a peer that closes is an error to handle, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return ordeal::cli::CommandLine().run({argv + 1, argv + argc});
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "ordeal: something went wrong that should not: %s\n", problem.what());
    return ordeal::cli::kRunFailed;
  }
}
