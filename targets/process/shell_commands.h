#pragma once
// ShellCommands: the options process.start, process.pids, … of database=commands as scripts for nodes.
//
// A command runs on its node under /bin/sh with these in its environment: NODE, NODE_ADDRESS and NODE_INDEX (from 0),
// NODES and NODE_ADDRESSES of the whole cluster (separated by spaces), and what the caller adds. Thread-safety: as
// Target, for different nodes at once.

#include <map>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"

namespace ordeal {

class ShellCommands {
 public:
  using Variables = std::map<std::string, std::string>;

  // Borrows both.
  ShellCommands(Cluster& cluster, const Options& options) : cluster_(cluster), options_(options) {}

  [[nodiscard]] bool given(const char* key) const { return !options_.string(key).empty(); }
  [[nodiscard]] std::string text(const char* key) const { return options_.string(key); }
  [[nodiscard]] bool runs_as_root() const { return options_.boolean("process.sudo"); }
  // The option's words, separated by spaces.
  [[nodiscard]] std::vector<std::string> words(const char* key) const;
  [[nodiscard]] std::size_t index_of(const Node& node) const;
  // The option's text with the environment before it; "" when it is not given.
  [[nodiscard]] std::string script(const Node& node, const char* key, const Variables& more = {}) const;
  // Any text in the same environment, as a command that runs as process.sudo says.
  [[nodiscard]] Command command(const Node& node, const std::string& text, std::chrono::milliseconds timeout,
                                const Variables& more = {}) const;

  // Runs it and returns what it printed. Errors: remote, with the key, the exit code and the end of what it wrote to
  // standard error; timeout and what else Node::run() may say.
  [[nodiscard]] Result<std::string> output(Node& node, const char* key, std::chrono::milliseconds timeout,
                                           const Variables& more = {}) const;
  // The same within process.command-timeout, for what is done and not asked; nothing when it is not given.
  Result<void> run(Node& node, const char* key, const Variables& more = {}) const;
  [[nodiscard]] std::chrono::milliseconds command_timeout() const;
  // The process ids that process.pids prints, without the shell that runs it and its ancestors: `pgrep -f` finds
  // those, too. Errors: target, for what is no process id.
  [[nodiscard]] Result<std::vector<int>> pids(Node& node) const;
  Result<void> signal(Node& node, const std::string& signal) const;
  // process.kill, or SIGKILL until process.pids prints nothing.
  Result<void> kill(Node& node) const;
  // The last lines of the first of process.logs that has any: `/var/log/a.log ends with "…"`; or why there are none.
  [[nodiscard]] std::string log_tail(Node& node) const;
  // "export NODE=n1 …\n", for scripts that are put together elsewhere.
  [[nodiscard]] std::string environment(const Node& node, const Variables& more = {}) const;

 private:
  Cluster& cluster_;
  const Options& options_;
};

}  // namespace ordeal
