// Completions for bash and zsh. CLI11 has none, so they are made from the same options that are parsed.

#include <fmt/format.h>

#include "base/text.h"
#include "cli/command_help.h"

namespace ordeal::cli {
namespace {

std::vector<std::string> flags_of(const CommandHelp& command) {
  std::vector<std::string> out;
  for (const auto& option : command.options) {
    if (!option.flag.empty()) out.push_back(option.flag);
  }
  return out;
}

std::vector<std::string> names_of(const std::vector<CommandHelp>& commands) {
  std::vector<std::string> out;
  for (const auto& command : commands) out.push_back(command.name);
  return out;
}

// The branches of a shell's `case` for one command: what comes after an option, and what else can come.
void bash_branches(const CommandHelp& command, const std::string& path, std::string& values, std::string& words) {
  for (const auto& option : command.options) {
    if (option.flag.empty() || option.placeholder.empty()) continue;
    values += fmt::format("    '{}{}') ", path, option.flag);
    if (option.list) {
      values += fmt::format("_ordeal_list '{}' ;;\n", join(option.choices, " "));
    } else if (!option.choices.empty()) {
      values += fmt::format("_ordeal_words '{}' ;;\n", join(option.choices, " "));
    } else {
      values += option.file ? "_ordeal_files ;;\n" : ":;;\n";
    }
  }
  std::string all = join(flags_of(command), " ");
  bool files = false;
  for (const auto& option : command.options) {
    if (!option.flag.empty()) continue;
    all += " " + join(option.choices, " ");
    files = files || option.file;
  }
  all += " " + join(names_of(command.commands), " ");
  words += fmt::format("    '{}') _ordeal_words '{}'{} ;;\n", path, trimmed(all), files ? "; _ordeal_files" : "");
  for (const auto& sub : command.commands) bash_branches(sub, path + sub.name + " ", values, words);
}

// Text within single quotes of a zsh specification.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

// Within a list of zsh a colon begins a description.
std::string zsh_words(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const auto& word : words) out.push_back(zsh_text(word));
  return join(out, " ");
}

std::string zsh_values(const OptionHelp& option) {
  if (option.list) return fmt::format("_sequence compadd - {}", zsh_words(option.choices));
  if (!option.choices.empty()) return "(" + zsh_words(option.choices) + ")";
  return option.file ? "_files" : " ";
}

std::string zsh_function(const CommandHelp& command, const std::string& name) {
  std::string out;
  for (const auto& sub : command.commands) out += zsh_function(sub, name + "_" + sub.name);
  out += name + "() {\n  local context state line\n  _arguments -C";
  int place = 0;
  for (const auto& option : command.options) {
    const std::string message =
        option.placeholder.empty() ? "" : ":" + zsh_text(option.placeholder) + ":" + zsh_values(option);
    if (option.flag.empty()) {
      out += fmt::format(" \\\n    '{}{}'", option.many ? "*" : std::to_string(++place), message);
    } else {
      out += fmt::format(" \\\n    '*{}[{}]{}'", option.flag, zsh_text(option.help), message);
    }
  }
  if (command.commands.empty()) return out + "\n}\n";
  out +=
      " \\\n    '1:command:->command' \\\n    '*::argument:->argument'\n  case $state in\n    command)\n"
      "      local -a commands=(\n";
  for (const auto& sub : command.commands) out += fmt::format("        '{}:{}'\n", sub.name, zsh_text(sub.help));
  out += "      )\n      _describe command commands ;;\n    argument)\n      case $line[1] in\n";
  for (const auto& sub : command.commands) out += fmt::format("        {0}) {1}_{0} ;;\n", sub.name, name);
  return out + "      esac ;;\n  esac\n}\n";
}

}  // namespace

std::string bash_completion(const CommandHelp& program) {
  std::string values;
  std::string words;
  bash_branches(program, "", values, words);
  std::string nested;
  for (const auto& command : program.commands) {
    if (!command.commands.empty()) {
      nested += fmt::format("      '{} ') commands='{}' ;;\n", command.name, join(names_of(command.commands), " "));
    }
  }
  return fmt::format(R"(# Completion of {0} for bash.
_ordeal_words() {{
  COMPREPLY+=($(compgen -W "$1" -- "$current"))
}}
_ordeal_files() {{
  compopt -o filenames
  COMPREPLY+=($(compgen -f -- "$current"))
}}
# Names separated by commas: the last one is completed.
_ordeal_list() {{
  local before=
  [[ $current == *,* ]] && before=${{current%,*}},
  compopt -o nospace
  COMPREPLY+=($(compgen -P "$before" -W "$1" -- "${{current##*,}}"))
}}
_ordeal() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} path= word i
  local commands='{1}'
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${{COMP_WORDS[i]}}
    [[ " $commands " == *" $word "* ]] || continue
    path+="$word "
    case $path in
{2}      *) commands= ;;
    esac
  done
  case $path$previous in
{3}    *)
      case $path in
{4}      esac ;;
  esac
}}
complete -F _ordeal {0}
)",
                     program.name, join(names_of(program.commands), " "), nested, values, words);
}

std::string zsh_completion(const CommandHelp& program) {
  return fmt::format("#compdef {0}\n# Completion of {0} for zsh.\n{1}_{0} \"$@\"\n", program.name,
                     zsh_function(program, "_" + program.name));
}

}  // namespace ordeal::cli
