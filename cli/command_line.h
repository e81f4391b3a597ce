#pragma once
// The command line: every subcommand with its options, parsed by CLI11 into the structs of commands.h. What has the
// help of each option also makes the manual page and the completions (command_help.h), so that there is one text.
//
// Thread-safety: one object, one thread.

#include <memory>
#include <string>
#include <vector>

#include "cli/command_help.h"
#include "cli/commands.h"

namespace ordeal::cli {

// Whether one JSON document is wanted, also when the words cannot be parsed.
[[nodiscard]] bool wants_json(const std::vector<std::string>& words);

class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // Parses the words after the program's name and runs the subcommand. Returns the exit code.
  [[nodiscard]] int run(std::vector<std::string> words);
  // The program with all its subcommands, as one tree.
  [[nodiscard]] CommandHelp help() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ordeal::cli
