#include "targets/process/shell_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "targets/process/shell_membership.h"
#include "targets/process/shell_versions.h"
#include "targets/process/shell_wait.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Every method of the database half is one command; a command that is not given does nothing.
class ShellDatabase : public Target,
                      private Target::ClientSetup,
                      private Target::Installation,
                      private Target::Files,
                      private Target::Processes,
                      private Target::Roles {
 public:
  ShellDatabase(Cluster& cluster, const Options& options, bool changes_members)
      : cluster_(cluster),
        options_(options),
        commands_(cluster, options),
        wait_(cluster, commands_, options.seconds("process.appear-time")),
        versions_(cluster, commands_),
        changes_members_(changes_members),
        membership_(
            cluster, commands_, [this](Node& node) { return wipe(node); },
            [this](const Node& node) { return start_text(node, true); }) {}

  std::string_view name() const override { return "commands"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override {
    return fail(ErrorCode::unsupported, "commands make no clients");
  }
  Result<void> start(Node& node) override;
  Result<void> stop(Node& node) override {
    return commands_.given("process.stop") ? commands_.run(node, "process.stop") : kill(node);
  }
  Result<void> await_ready(Deadline deadline) override { return wait_.all(deadline); }
  Result<void> await_node(Node& node, Deadline deadline) override { return wait_.one(node, deadline); }
  Target::ClientSetup* client_setup() override { return this; }
  Target::Installation* installation() override { return this; }
  const Target::Files* files() const override { return this; }
  Target::Processes* processes() override { return commands_.given("process.pids") ? this : nullptr; }
  Target::Roles* roles() override { return commands_.given("process.primary") ? this : nullptr; }
  Target::Membership* membership() override { return changes_members_ ? &membership_ : nullptr; }
  Target::Versions* versions() override { return &versions_; }

 private:
  Result<void> install(Node& node) override { return commands_.run(node, "process.install"); }
  Result<void> wipe(Node& node) override {
    wait_.forget(node);
    if (auto killed = kill(node); !killed) return killed;
    return commands_.run(node, "process.wipe");
  }
  StartOrder start_order() const override;
  Result<void> found(Deadline deadline) override;
  Result<void> prepare(Deadline deadline) override;
  std::vector<std::string> log_files(const Node&) const override { return commands_.words("process.logs"); }
  std::vector<std::string> data_directories(const Node&) const override { return commands_.words("process.data"); }
  std::string log_pattern() const override { return options_.string("process.log-pattern"); }
  Result<void> kill(Node& node) override { return commands_.kill(node); }
  Result<void> pause(Node& node) override { return commands_.signal(node, "STOP"); }
  Result<void> resume(Node& node) override { return commands_.signal(node, "CONT"); }
  Result<std::vector<int>> pids(Node& node) override { return commands_.pids(node); }
  // Without sudo it runs as the login user, whom a script for root does not know.
  std::string start_script(const Node& node) override {
    const bool out = changes_members_ && membership_.is_out(node);
    return commands_.runs_as_root() && !out ? start_text(node, joins(node)) : "";
  }
  Result<std::vector<std::size_t>> primaries(Deadline deadline) override;

  [[nodiscard]] bool joins(const Node& node) const { return changes_members_ && membership_.joins(node); }
  [[nodiscard]] ShellCommands::Variables start_variables(const Node& node, bool joins) const {
    return {{"JOINS", joins ? "yes" : ""}, {"ORDEAL_START", versions_.mark(node)}};
  }
  [[nodiscard]] std::string start_text(const Node& node, bool joins) const {
    return commands_.script(node, versions_.key(node), start_variables(node, joins));
  }

  Cluster& cluster_;
  const Options& options_;
  const ShellCommands commands_;
  ShellWait wait_;
  ShellVersions versions_;
  const bool changes_members_;
  ShellMembership membership_;
};

Result<void> ShellDatabase::start(Node& node) {
  if (changes_members_ && membership_.is_out(node))
    return fail(ErrorCode::target, node.name() + ": it is not a member of the cluster at the moment");
  return commands_.run(node, versions_.key(node), start_variables(node, joins(node)));
}

Target::Installation::StartOrder ShellDatabase::start_order() const {
  const std::string order = options_.string("process.start-order");
  return order == "in-order"     ? StartOrder::in_order
         : order == "each-ready" ? StartOrder::each_ready
                                 : StartOrder::at_once;
}

// A server that has only just been started may not listen yet: it is tried again until it does.
Result<void> ShellDatabase::found(Deadline deadline) {
  if (!commands_.given("process.setup") || options_.string("process.setup-when") != "started") return {};
  return wait_.until_ok(cluster_.at(0), "process.setup", deadline);
}

Result<void> ShellDatabase::prepare(Deadline) {
  if (!commands_.given("process.setup") || options_.string("process.setup-when") != "ready") return {};
  return commands_.run(cluster_.at(0), "process.setup");
}

Result<std::vector<std::size_t>> ShellDatabase::primaries(Deadline deadline) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left <= milliseconds(0)) return fail(ErrorCode::timeout, "process.primary: the deadline passed");
    Node& node = cluster_.at(i);
    const auto said =
        node.run(commands_.command(node, commands_.text("process.primary"), std::min(left, milliseconds(2'000))));
    if (said && said->exit_code == 0) out.push_back(i);
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<Target>> make_shell_database(Cluster& cluster, const Options& options) {
  if (options.string("process.start").empty()) {
    return fail(ErrorCode::usage, "process.database=commands needs process.start, the command that starts the system");
  }
  const auto changes_members = ShellMembership::wanted(options);
  if (!changes_members) return fail(changes_members.error());
  if (options.string("process.start-order") == "each-ready" && options.string("process.ready").empty()) {
    return fail(ErrorCode::usage, "process.start-order=each-ready needs process.ready, which tells when a node serves");
  }
  return std::make_unique<ShellDatabase>(cluster, options, *changes_members);
}

std::vector<OptionSpec> shell_database_options() {
  using Type = OptionSpec::Type;
  return {
      {"process.install", Type::string, "",
       "database=commands: puts the system on the node (like all of these it runs under /bin/sh, which may be no "
       "bash)"},
      {"process.start", Type::string, "", "database=commands: starts the system as a daemon; may run while it runs"},
      {"process.start-order",
       Type::string,
       "at-once",
       "database=commands: how nodes are started at first: at-once; in-order: one after the other; each-ready: the "
       "next "
       "when the one before serves. After faults each node is started by itself",
       std::nullopt,
       std::nullopt,
       {"at-once", "in-order", "each-ready"}},
      {"process.appear-time", Type::duration, 1.0,
       "database=commands: a server of which process.pids finds nothing for so long after its first start has ended, "
       "and its log's last lines are told at once; 0: --start-timeout is waited for all the same",
       0, 3600},
      {"process.setup", Type::string, "",
       "database=commands: what is done once for the cluster, on the first node (a table, `rs.initiate()`); see "
       "process.setup-when"},
      {"process.setup-when",
       Type::string,
       "ready",
       "database=commands: when process.setup is run: ready: once all nodes serve; started: before that, again and "
       "again until it succeeds, since servers that were only just started may not listen yet",
       std::nullopt,
       std::nullopt,
       {"ready", "started"}},
      {"process.stop", Type::string, "", "database=commands: ends the system gracefully"},
      {"process.kill", Type::string, "",
       "database=commands: ends it at once; by default SIGKILL to process.pids (`pkill -f mystore` also kills the "
       "shell "
       "that runs it: write '[m]ystore')"},
      {"process.wipe", Type::string, "", "database=commands: deletes its data, after a kill"},
      {"process.ready", Type::string, "", "database=commands: ends with status 0 when the node serves"},
      {"process.pids", Type::string, "",
       "database=commands: prints its process ids, e.g. pgrep -x mystore (of `pgrep -f` the shell that runs it is left "
       "out)"},
      {"process.primary", Type::string, "", "database=commands: ends with status 0 on a node that leads"},
      {"process.members", Type::string, "",
       "database=commands: asks the member at $PEER_ADDRESS who belongs to the cluster and prints a line for each: ID "
       "NODE [joined|announced], - where there is no ID; for fault membership"},
      {"process.leave", Type::string, "",
       "database=commands: takes the node out of the cluster by asking the member at $PEER_ADDRESS"},
      {"process.join", Type::string, "",
       "database=commands: announces the node to the member at $PEER_ADDRESS; process.start then has JOINS=yes in its "
       "environment"},
      {"process.upgrade-start", Type::string, "",
       "database=commands: a second process.start (another version, other flags), for fault rolling-upgrade"},
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
