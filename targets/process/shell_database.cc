#include "targets/process/shell_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <thread>

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Every method of the database half is one command; a command that is not given does nothing.
class ShellDatabase : public Target,
                      private Target::Installation,
                      private Target::Files,
                      private Target::Processes,
                      private Target::Roles {
 public:
  ShellDatabase(Cluster& cluster, const Options& options) : cluster_(cluster), options_(options) {}

  std::string_view name() const override { return "commands"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override {
    return fail(ErrorCode::unsupported, "commands make no clients");
  }
  Result<void> start(Node& node) override { return run(node, "process.start"); }
  Result<void> stop(Node& node) override { return given("process.stop") ? run(node, "process.stop") : kill(node); }
  Result<void> await_ready(Deadline deadline) override;
  Result<void> await_node(Node& node, Deadline deadline) override;
  Target::Installation* installation() override { return this; }
  const Target::Files* files() const override { return this; }
  Target::Processes* processes() override { return given("process.pids") ? this : nullptr; }
  Target::Roles* roles() override { return given("process.primary") ? this : nullptr; }

 private:
  Result<void> install(Node& node) override { return run(node, "process.install"); }
  Result<void> wipe(Node& node) override {
    if (auto killed = kill(node); !killed) return killed;
    return run(node, "process.wipe");
  }
  std::vector<std::string> log_files(const Node&) const override { return words_of("process.logs"); }
  std::vector<std::string> data_directories(const Node&) const override { return words_of("process.data"); }
  std::string log_pattern() const override { return options_.string("process.log-pattern"); }
  Result<void> kill(Node& node) override;
  Result<void> pause(Node& node) override { return signal(node, "STOP"); }
  Result<void> resume(Node& node) override { return signal(node, "CONT"); }
  Result<std::vector<int>> pids(Node& node) override;
  // Without sudo it runs as the login user, whom a script for root does not know.
  std::string start_script(const Node& node) override {
    return options_.boolean("process.sudo") ? with_names(node, options_.string("process.start")) : "";
  }
  Result<std::vector<std::size_t>> primaries(Deadline deadline) override;

  [[nodiscard]] std::vector<std::string> words_of(const char* key) const {
    std::vector<std::string> out;
    std::istringstream words(options_.string(key));
    for (std::string word; words >> word;) out.push_back(word);
    return out;
  }
  [[nodiscard]] bool given(const char* key) const { return !options_.string(key).empty(); }
  [[nodiscard]] std::string with_names(const Node& node, const std::string& script) const;
  [[nodiscard]] Command command(Node& node, const std::string& script, milliseconds timeout) const;
  Result<void> run(Node& node, const char* key);
  Result<void> signal(Node& node, const std::string& signal);

  Cluster& cluster_;
  const Options& options_;
};

std::string ShellDatabase::with_names(const Node& node, const std::string& script) const {
  std::string names;
  std::string addresses;
  std::size_t index = 0;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    names += (i == 0 ? "" : " ") + cluster_.at(i).name();
    addresses += (i == 0 ? "" : " ") + cluster_.at(i).address();
    if (&cluster_.at(i) == &node) index = i;
  }
  return fmt::format("export NODE={} NODE_ADDRESS={} NODE_INDEX={} NODES={} NODE_ADDRESSES={}\n{}",
                     shell_quote(node.name()), shell_quote(node.address()), index, shell_quote(names),
                     shell_quote(addresses), script);
}

Command ShellDatabase::command(Node& node, const std::string& script, milliseconds timeout) const {
  Command out(with_names(node, script));
  out.timeout = timeout;
  out.sudo = options_.boolean("process.sudo");
  return out;
}

Result<void> ShellDatabase::run(Node& node, const char* key) {
  if (!given(key)) return {};
  const auto timeout = milliseconds(static_cast<std::int64_t>(options_.seconds("process.command-timeout") * 1000));
  const auto done = run_ok(node, command(node, options_.string(key), timeout));
  if (!done) return fail(done.error().during(key));
  return {};
}

Result<std::vector<int>> ShellDatabase::pids(Node& node) {
  const auto output = node.run(command(node, options_.string("process.pids"), milliseconds(10'000)));
  if (!output) return fail(output.error().during("process.pids"));
  // pgrep ends with status 1 when there is nothing: what counts is what was printed.
  std::vector<int> found;
  std::istringstream words(output->out);
  for (std::string word; words >> word;) {
    const bool number = std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!number || word.size() > 9 || std::stoi(word) < 2) {
      return fail(ErrorCode::target, node.name() + ": process.pids printed \"" + word + "\", which is no process id");
    }
    found.push_back(std::stoi(word));
  }
  return found;
}

Result<void> ShellDatabase::signal(Node& node, const std::string& signal) {
  const auto found = pids(node);
  if (!found) return fail(found.error());
  std::string script = "true";
  for (const int pid : *found) script += fmt::format("; kill -{} {} 2>/dev/null", signal, pid);
  const auto sent = node.run(command(node, script, milliseconds(10'000)));
  if (!sent) return fail(sent.error().during("SIG" + signal));
  return {};
}

Result<void> ShellDatabase::kill(Node& node) {
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

Result<void> ShellDatabase::await_ready(Deadline deadline) {
  for (const auto& node : cluster_.nodes) {
    if (auto ready = await_node(*node, deadline); !ready) return ready;
  }
  return {};
}

Result<void> ShellDatabase::await_node(Node& node, Deadline deadline) {
  if (!given("process.ready")) return {};
  while (true) {
    const auto timeout = std::clamp(deadline.remaining(), milliseconds(100), milliseconds(5'000));
    const auto ready = run_ok(node, command(node, options_.string("process.ready"), timeout));
    if (ready) return {};
    if (steady_clock::now() + milliseconds(100) >= deadline) {
      return fail(ready.error().during(node.name() + " is not ready: process.ready"));
    }
    std::this_thread::sleep_for(milliseconds(100));
  }
}

Result<std::vector<std::size_t>> ShellDatabase::primaries(Deadline deadline) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left <= milliseconds(0)) return fail(ErrorCode::timeout, "process.primary: the deadline passed");
    Node& node = cluster_.at(i);
    const auto said = node.run(command(node, options_.string("process.primary"), std::min(left, milliseconds(2'000))));
    if (said && said->exit_code == 0) out.push_back(i);
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<Target>> make_shell_database(Cluster& cluster, const Options& options) {
  if (options.string("process.start").empty()) {
    return fail(ErrorCode::usage, "process.database=commands needs process.start, the command that starts the system");
  }
  return std::make_unique<ShellDatabase>(cluster, options);
}

std::vector<OptionSpec> shell_database_options() {
  using Type = OptionSpec::Type;
  return {
      {"process.install", Type::string, "", "database=commands: puts the system on the node"},
      {"process.start", Type::string, "", "database=commands: starts the system as a daemon; may run while it runs"},
      {"process.stop", Type::string, "", "database=commands: ends the system gracefully"},
      {"process.kill", Type::string, "", "database=commands: ends it at once; by default SIGKILL to process.pids"},
      {"process.wipe", Type::string, "", "database=commands: deletes its data, after a kill"},
      {"process.ready", Type::string, "", "database=commands: ends with status 0 when the node serves"},
      {"process.pids", Type::string, "", "database=commands: prints its process ids, e.g. pgrep -x mystore"},
      {"process.primary", Type::string, "", "database=commands: ends with status 0 on a node that leads"},
      {"process.data", Type::string, "",
       "database=commands: its data directories, separated by spaces, for faults of disks"},
      {"process.logs", Type::string, "", "database=commands: its log files, separated by spaces"},
      {"process.log-pattern", Type::string, "",
       "database=commands: extended regular expression of a crash in its logs"},
      {"process.sudo", Type::boolean, true, "database=commands: run the commands as root"},
      {"process.command-timeout", Type::duration, 60.0, "database=commands: how long a command may take", 0.1, 3600},
  };
}

}  // namespace ordeal
