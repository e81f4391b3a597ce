// The program: hands its words to the command line, and ends no other way than by an exit code of ours.

#include <csignal>
#include <exception>

#include "cli/command_line.h"
#include "cli/console.h"

int main(int argc, char** argv) {
  // A reader that goes away (`ordeal list | head`) or a peer that closes is an error to handle, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    return ordeal::cli::delivered(ordeal::cli::CommandLine().run(words));
  } catch (const std::exception& problem) {
    const std::string message = std::string("something went wrong that should not: ") + problem.what();
    return ordeal::cli::refuse({ordeal::ErrorCode::internal, message}, ordeal::cli::wants_json(words));
  }
}
