#pragma once
// CommandHelp: what there is to say about a command, without the library that parses it; and what is made of that: a
// manual page and completions for two shells. Thread-safety: value types and pure functions.

#include <string>
#include <vector>

namespace ordeal::cli {

struct OptionHelp {
  std::string flag;         // "--nodes"; empty: an argument by its place
  std::string placeholder;  // of the value; empty: a switch without one
  std::string help;
  std::string default_text;          // empty: none
  std::vector<std::string> choices;  // the values there are; empty: any
  bool list = false;                 // several of them, separated by commas
  bool file = false;                 // the value is a path
  bool many = false;                 // it may be said again and again
};

struct CommandHelp {
  std::string name;
  std::string help;
  std::vector<OptionHelp> options;  // those by place first
  std::vector<CommandHelp> commands;
};

// A page for man(1), in roff.
[[nodiscard]] std::string manual_page(const CommandHelp& program, const std::string& version);
// A script for bash to source, and one for a directory of zsh's fpath, as _<program>.
[[nodiscard]] std::string bash_completion(const CommandHelp& program);
[[nodiscard]] std::string zsh_completion(const CommandHelp& program);

}  // namespace ordeal::cli
