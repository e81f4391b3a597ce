#include "targets/process/shell_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <sstream>
#include <thread>

#include "base/text.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Of what commands and logs say, in messages.
constexpr std::size_t kShownBytes = 800;

// Prints the shell that runs this, and its ancestors, in one line before all else.
constexpr const char* kOwnProcesses = R"sh(own=
p=$$
while [ "${p:-0}" -gt 1 ]; do
  own="$own $p"
  parent=
  while read -r key value; do [ "$key" = PPid: ] && parent=$value; done </proc/$p/status
  p=$parent
done 2>/dev/null
echo "own:$own"
)sh";

// The last lines, and of a short log the first, where a wrong flag is named before the usage.
constexpr const char* kLastWords = R"sh(awk '{ line[NR] = $0 }
NR > 1000 { delete line[NR - 1000] }
END { for (i = 1; i <= NR; i++) if (i > NR - 5 || (i == 1 && NR <= 1000)) print line[i] }' )sh";

// A command that kills by a pattern of whole command lines has killed the shell that runs it, whose command line holds
// the pattern.
std::string killed_itself(const std::string& text, int exit_code) {
  const bool by_pattern = text.find("pkill") != std::string::npos && text.find("-f") != std::string::npos;
  if (!by_pattern || (exit_code != 128 + SIGKILL && exit_code != 128 + SIGTERM)) return "";
  return " (`pkill -f` finds the shell that runs the command, too: write the pattern as '[m]ystore')";
}

std::string end_of(std::string_view text, std::size_t max_bytes) {
  text = trimmed(text);
  if (text.size() <= max_bytes) return std::string(text);
  text.remove_prefix(text.size() - max_bytes);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xc0) == 0x80) text.remove_prefix(1);
  return "…" + std::string(text);
}

}  // namespace

std::vector<std::string> ShellCommands::words(const char* key) const {
  std::vector<std::string> out;
  std::istringstream words(options_.string(key));
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

std::size_t ShellCommands::index_of(const Node& node) const {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.at(i).name() == node.name()) return i;
  }
  ORDEAL_CHECK(false, "a node that is not of this cluster");
}

std::string ShellCommands::environment(const Node& node, const Variables& more) const {
  std::string names;
  std::string addresses;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    names += (i == 0 ? "" : " ") + cluster_.at(i).name();
    addresses += (i == 0 ? "" : " ") + cluster_.at(i).address();
  }
  std::string out =
      fmt::format("export NODE={} NODE_ADDRESS={} NODE_INDEX={} NODES={} NODE_ADDRESSES={}", shell_quote(node.name()),
                  shell_quote(node.address()), index_of(node), shell_quote(names), shell_quote(addresses));
  for (const auto& [name, value] : more) out += fmt::format(" {}={}", name, shell_quote(value));
  return out + "\n";
}

std::string ShellCommands::script(const Node& node, const char* key, const Variables& more) const {
  return given(key) ? environment(node, more) + options_.string(key) : "";
}

Command ShellCommands::command(const Node& node, const std::string& text, milliseconds timeout,
                               const Variables& more) const {
  Command out(environment(node, more) + text);
  out.timeout = timeout;
  out.sudo = options_.boolean("process.sudo");
  return out;
}

Result<std::string> ShellCommands::output(Node& node, const char* key, milliseconds timeout,
                                          const Variables& more) const {
  const std::string text = options_.string(key);
  auto done = node.run(command(node, text, timeout, more));
  if (!done) return fail(done.error().during(key));
  if (done->exit_code == 0) return std::move(done->out);
  const std::string words = end_of(done->err.empty() ? done->out : done->err, kShownBytes);
  return fail(ErrorCode::remote, fmt::format("{}: {}: exit code {}{}{}", key, node.name(), done->exit_code,
                                             words.empty() ? ", and it wrote nothing" : ": " + words,
                                             killed_itself(text, done->exit_code)));
}

Result<void> ShellCommands::run(Node& node, const char* key, const Variables& more) const {
  if (!given(key)) return {};
  const auto done = output(node, key, command_timeout(), more);
  return done ? Result<void>() : fail(done.error());
}

milliseconds ShellCommands::command_timeout() const {
  return milliseconds(static_cast<std::int64_t>(options_.seconds("process.command-timeout") * 1000));
}

Result<std::vector<int>> ShellCommands::pids(Node& node) const {
  const std::string text = kOwnProcesses + options_.string("process.pids");
  const auto output = node.run(command(node, text, milliseconds(10'000)));
  if (!output) return fail(output.error().during("process.pids"));
  // pgrep ends with status 1 when there is nothing: what counts is what was printed.
  std::istringstream lines(output->out);
  std::string line;
  std::getline(lines, line);
  std::vector<int> own;
  std::istringstream own_words(line.starts_with("own:") ? line.substr(4) : "");
  for (int pid = 0; own_words >> pid;) own.push_back(pid);
  std::vector<int> found;
  for (std::string word; lines >> word;) {
    const bool number = std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!number || word.size() > 9 || std::stoi(word) < 2) {
      return fail(ErrorCode::target, node.name() + ": process.pids printed \"" + word + "\", which is no process id");
    }
    if (std::find(own.begin(), own.end(), std::stoi(word)) == own.end()) found.push_back(std::stoi(word));
  }
  return found;
}

Result<void> ShellCommands::signal(Node& node, const std::string& signal) const {
  const auto found = pids(node);
  if (!found) return fail(found.error());
  std::string text = "true";
  for (const int pid : *found) text += fmt::format("; kill -{} {} 2>/dev/null", signal, pid);
  const auto sent = node.run(command(node, text, milliseconds(10'000)));
  if (!sent) return fail(sent.error().during("SIG" + signal));
  return {};
}

Result<void> ShellCommands::kill(Node& node) const {
  if (given("process.kill")) return run(node, "process.kill");
  if (!given("process.pids")) return {};
  const auto deadline = steady_clock::now() + milliseconds(5'000);
  while (true) {
    if (auto sent = signal(node, "KILL"); !sent) return sent;
    const auto left = pids(node);
    if (!left) return fail(left.error());
    if (left->empty()) return {};
    if (steady_clock::now() > deadline) {
      return fail(ErrorCode::target, node.name() + ": processes are still there 5 s after SIGKILL");
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
}

std::string ShellCommands::log_tail(Node& node) const {
  const auto logs = words("process.logs");
  if (logs.empty()) return "set process.logs, and what its log says last is told here";
  for (const auto& file : logs) {
    const auto said = node.run(command(node, kLastWords + shell_quote(file) + " 2>/dev/null", milliseconds(5'000)));
    if (!said) return said.error().message;
    const std::string text = end_of(said->out, kShownBytes);
    if (text.empty()) continue;
    return fmt::format("{} ends with \"{}\"", file, text);
  }
  return "its log is empty, or not there";
}

}  // namespace ordeal
