#include "targets/log/log_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <thread>

#include "base/text.h"
#include "targets/log/client.h"
#include "targets/log/log_scripts.h"
#include "targets/log/membership.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;

std::vector<LogMember> members_of(const Cluster& cluster) {
  std::vector<LogMember> out;
  for (const auto& node : cluster.nodes) out.push_back({node->name(), node->address()});
  return out;
}

class LogTarget : public Target,
                  private Target::ClientSetup,
                  private Target::Installation,
                  private Target::Files,
                  private Target::Processes,
                  private Target::Roles,
                  private Target::Versions {
 public:
  LogTarget(Cluster& cluster, const Options& options)
      : cluster_(cluster), options_(options), members_(members_of(cluster)), second_(members_.size()) {}

  std::string_view name() const override { return "log"; }
  Result<std::unique_ptr<Client>> client(std::size_t node) override;
  Result<void> start(Node& node) override;
  Result<void> stop(Node& node) override;
  Result<void> await_ready(Deadline deadline) override;
  Result<void> await_node(Node& node, Deadline deadline) override { return await_member(index_of(node), deadline); }
  Target::ClientSetup* client_setup() override { return this; }
  Target::Installation* installation() override { return this; }
  const Target::Files* files() const override { return this; }
  Target::Processes* processes() override { return this; }
  Target::Roles* roles() override { return this; }
  Target::Membership* membership() override { return &membership_; }
  Target::Versions* versions() override { return this; }

 private:
  void use(std::string_view data_type) override { data_type_ = data_type; }
  Result<void> install(Node& node) override;
  Result<void> wipe(Node& node) override { return erase(node, true); }
  Result<Value> describe(Node& node) override;
  std::vector<std::string> log_files(const Node& node) const override { return {paths(node).log}; }
  std::vector<std::string> data_directories(const Node& node) const override { return {paths(node).data}; }
  // What ends a program that should not end: a broken invariant, an exception, a sanitizer. FATAL is none of these: a
  // node whose disk failed has to end, and says so.
  std::string log_pattern() const override {
    return "terminate called|check failed|Sanitizer|Segmentation fault|runtime error:";
  }
  Result<void> kill(Node& node) override { return signal(node, "KILL", true, 5); }
  Result<void> pause(Node& node) override { return signal(node, "STOP", false, 0); }
  Result<void> resume(Node& node) override { return signal(node, "CONT", false, 0); }
  Result<std::vector<int>> pids(Node& node) override;
  std::string start_script(const Node& node) override;
  Result<std::vector<std::size_t>> primaries(Deadline deadline) override;
  double election_timeout_s() const override { return static_cast<double>(options_.integer("log.election-ms")) / 1000; }
  std::string problem() const override;
  void choose(Node& node, Version version) override { second_[index_of(node)] = version == Version::second; }
  Result<Running> running(Node& node, Deadline deadline) override;

  [[nodiscard]] LogPaths paths(const Node& node) const { return log_paths(options_, node.name()); }
  [[nodiscard]] std::string endpoint(std::size_t node) const {
    return "http://" + log_client_address(options_, members_[node]);
  }
  [[nodiscard]] std::size_t index_of(const Node& node) const;
  [[nodiscard]] Command script(std::string text, milliseconds timeout = milliseconds(30'000)) const;
  Result<void> signal(Node& node, const std::string& signal, bool gone, int wait_s);
  Result<void> erase(Node& node, bool with_log);
  [[nodiscard]] std::string start_text(std::size_t node) const;
  [[nodiscard]] std::string rejoin_script(const Node& node) const;
  Result<void> await_member(std::size_t node, Deadline deadline);
  [[nodiscard]] std::string log_tail(Node& node);

  Cluster& cluster_;
  const Options& options_;
  const std::vector<LogMember> members_;
  std::vector<std::atomic<bool>> second_;  // by node: start() starts the second version
  LogMembership membership_{options_, members_, [this](Node& node) { return erase(node, false); },
                            [this](const Node& node) { return rejoin_script(node); }};
  std::string data_type_;
};

Result<std::unique_ptr<Client>> LogTarget::client(std::size_t node) {
  LogClientOptions options;
  options.data_type = data_type_;
  options.local_reads = options_.boolean("log.local-reads");
  options.set_in_log = options_.string("log.set") == "log";
  options.ids_from_log = options_.string("log.ids") == "log";
  options.lock_ttl_s = options_.integer("log.lock-ttl");
  options.visibility_ms = static_cast<std::int64_t>(options_.seconds("log.visibility") * 1000);
  options.max_attempts = options_.integer("log.max-attempts");
  options.accounts = options_.integer("log.accounts");
  return std::make_unique<LogClient>(endpoint(node), options);
}

std::size_t LogTarget::index_of(const Node& node) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].name == node.name()) return i;
  }
  ORDEAL_CHECK(false, "a node that is not of this cluster");
}

Command LogTarget::script(std::string text, milliseconds timeout) const {
  Command command(std::move(text));
  command.timeout = timeout;
  command.sudo = options_.boolean("log.sudo");
  command.idempotent = true;  // all scripts of log_scripts.h are
  return command;
}

Result<void> LogTarget::signal(Node& node, const std::string& signal, bool gone, int wait_s) {
  const auto output = node.run(script(log_signal_script(paths(node), signal, gone, wait_s)));
  if (!output) return fail(output.error());
  if (output->exit_code == 0) return {};
  return fail(ErrorCode::target, fmt::format("{}: ordeal-log is still there {} s after SIG{} (exit code {}) {}",
                                             node.name(), wait_s, signal, output->exit_code, output->err));
}

Result<void> LogTarget::install(Node& node) {
  const auto program = log_program(options_);
  if (!program) return fail(program.error());
  // The login user may not write below log.dir; the file takes the way over a directory in /tmp that nobody else on the
  // node can have made, or can write to: what arrives there is run as root.
  const auto made = run_ok(node, Command("umask 077; mktemp -d /tmp/ordeal-log-XXXXXX"));
  if (!made) return fail(made.error().during("making a directory for ordeal-log"));
  const std::string carrier = std::string(trimmed(*made)) + "/program";
  if (auto sent = node.upload(*program, carrier); !sent) return sent;
  const LogPaths where = paths(node);
  const auto moved = run_ok(
      node, script(fmt::format("set -e\nmkdir -p {home}/bin\ncarrier={carrier}; new={bin}.new\n"
                               "cp \"$carrier\" \"$new\"\nchmod 755 \"$new\"\nmv -f \"$new\" {bin}\n"
                               "rm -rf \"${{carrier%/*}}\"\n",
                               fmt::arg("home", shell_quote(where.home)), fmt::arg("carrier", shell_quote(carrier)),
                               fmt::arg("bin", shell_quote(where.binary)))));
  if (!moved) return fail(moved.error().during("installing ordeal-log from " + *program));
  const auto runs = run_ok(node, script(shell_quote(where.binary) + " --help"));
  if (!runs) return fail(runs.error().during(*program + " does not run on the node"));
  return {};
}

Result<void> LogTarget::erase(Node& node, bool with_log) {
  // A stopped process dies of SIGKILL all the same.
  if (auto killed = kill(node); !killed) return killed;
  const auto removed = run_ok(node, script(log_erase_script(paths(node), with_log)));
  if (!removed) return fail(removed.error().during("wiping the data of ordeal-log"));
  return {};
}

std::string LogTarget::start_text(std::size_t node) const {
  const auto arguments = log_arguments(options_, members_, node, membership_.joins(node), second_[node].load());
  return log_start_script(paths(*cluster_.nodes[node]), arguments);
}

std::string LogTarget::rejoin_script(const Node& node) const {
  const std::size_t self = index_of(node);
  if (!options_.boolean("log.sudo")) return "";
  return log_rejoin_script(options_, members_, self, paths(node), second_[self].load());
}

// Without sudo it runs as the login user, whom a script for root does not know.
std::string LogTarget::start_script(const Node& node) {
  const std::size_t self = index_of(node);
  return options_.boolean("log.sudo") && !membership_.is_out(self) ? start_text(self) : "";
}

Result<void> LogTarget::start(Node& node) {
  const std::size_t self = index_of(node);
  if (membership_.is_out(self)) {
    return fail(ErrorCode::target, node.name() + ": it is not a member of the cluster at the moment");
  }
  const auto output = node.run(script(start_text(self)));
  if (!output) return fail(output.error());
  if (output->exit_code == 0) return {};
  return fail(ErrorCode::target, fmt::format("{}: ordeal-log did not start: {}", node.name(), trimmed(output->err)));
}

Result<void> LogTarget::stop(Node& node) {
  // SIGTERM only reaches a process that runs; a leader that hands over its leadership needs a moment.
  if (auto resumed = signal(node, "CONT", false, 0); !resumed) return resumed;
  if (signal(node, "TERM", true, 15)) return {};
  return kill(node);
}

Result<std::vector<int>> LogTarget::pids(Node& node) {
  const auto out = run_ok(node, script(log_pids_script(paths(node)), milliseconds(10'000)));
  if (!out) return fail(out.error());
  std::vector<int> found;
  std::istringstream words(*out);
  for (int pid = 0; words >> pid;) found.push_back(pid);
  return found;
}

std::string LogTarget::problem() const {
  const auto flags = log_upgrade_flags(options_);
  if (flags.empty()) return "target log has no second version: set log.upgrade-flags";
  const auto first = log_arguments(options_, members_, 0, false, false);
  const bool same = std::all_of(flags.begin(), flags.end(), [&](const std::string& flag) {
    return std::find(first.begin(), first.end(), flag) != first.end();
  });
  return same ? "log.upgrade-flags: the first version has these flags, too" : "";
}

Result<Target::Versions::Running> LogTarget::running(Node& node, Deadline deadline) {
  const auto printed =
      run_ok(node, script(log_commands_script(paths(node)), std::max(deadline.remaining(), milliseconds(100))));
  if (!printed) return fail(printed.error());
  Running out{std::nullopt, "no process runs"};
  const std::vector<std::string> words = lines(*printed);
  if (words.empty()) return out;
  const auto flags = log_upgrade_flags(options_);
  std::size_t had = 0;
  for (const auto& flag : flags) had += std::find(words.begin(), words.end(), flag) != words.end() ? 1 : 0;
  out.evidence = fmt::format("its command line has {} of the {} flags of log.upgrade-flags", had, flags.size());
  if (had == flags.size()) out.version = Version::second;
  if (had == 0) out.version = Version::first;
  return out;
}

std::string LogTarget::log_tail(Node& node) {
  const auto words =
      node.run(script("grep -v ' INFO ' " + shell_quote(paths(node).log) + " | tail -n 3", milliseconds(5'000)));
  const std::string said = words ? std::string(trimmed(words->out)) : words.error().message;
  return said.empty() ? "nothing of note" : said;
}

Result<void> LogTarget::await_ready(Deadline deadline) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (auto ready = await_member(i, deadline); !ready) return ready;
  }
  return {};
}

// Ready is who answers a linearizable read.
Result<void> LogTarget::await_member(std::size_t i, Deadline deadline) {
  auto next_look = Deadline::after(milliseconds(2'000));
  int missing = 0;  // how many looks in a row found no process
  while (true) {
    LogApi api(endpoint(i));
    const auto ready = api.get("/readyz", deadline.within(milliseconds(2'000)));
    if (ready) return {};
    if (next_look.passed()) {
      const auto found = pids(cluster_.at(i));
      missing = found && found->empty() ? missing + 1 : 0;
      next_look = Deadline::after(milliseconds(2'000));
    }
    // A process that is gone comes back only while its keeper tries.
    if (Deadline::after(milliseconds(50)) >= deadline || missing >= 4) {
      return fail(ErrorCode::target, fmt::format("{}: ordeal-log {}: {}; its log says: {}", members_[i].name,
                                                 missing >= 4 ? "has ended" : "does not serve", ready.error().message,
                                                 log_tail(cluster_.at(i))));
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
}

Result<std::vector<std::size_t>> LogTarget::primaries(Deadline deadline) {
  // Asked all at once, so that nodes that do not answer cost one second together.
  const Deadline each = deadline.within(milliseconds(1'000));
  std::vector<LogAnswer<Value>> answers(members_.size(), tl::unexpected(LogProblem{}));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      threads.emplace_back([this, i, each, &answers] { answers[i] = LogApi(endpoint(i)).get("/v1/status", each); });
    }
  }
  std::vector<std::pair<std::int64_t, std::size_t>> leaders;  // term, negated so that the highest sorts first
  bool any = false;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) continue;
    any = true;
    const Value* role = answers[i]->find("role");
    const Value* term = answers[i]->find("term");
    if (role == nullptr || term == nullptr || !term->is_integer()) continue;
    if (*role == Value("leader")) leaders.emplace_back(-term->integer(), i);
  }
  if (!any && !answers.empty()) {
    return fail(ErrorCode::target, "no node tells its status: " + answers.front().error().message);
  }
  std::sort(leaders.begin(), leaders.end());
  std::vector<std::size_t> out;
  for (const auto& [term, node] : leaders) out.push_back(node);
  return out;
}

Result<Value> LogTarget::describe(Node& node) {
  const std::size_t self = index_of(node);
  Value out = Value::map({{"system", "ordeal-log"}, {"endpoint", endpoint(self)}});
  Value arguments = Value::list();
  for (const auto& argument : log_arguments(options_, members_, self, membership_.joins(self), second_[self].load())) {
    arguments.items().push_back(argument);
  }
  out.set("arguments", std::move(arguments));
  return out;
}

Result<std::unique_ptr<Target>> make(Cluster& cluster, const Options& options) {
  if (cluster.size() == 0) return fail(ErrorCode::usage, "target log needs at least one node");
  if (options.integer("log.heartbeat-ms") >= options.integer("log.election-ms")) {
    return fail(ErrorCode::usage, "option log.heartbeat-ms: must be less than log.election-ms");
  }
  if (auto program = log_program(options); !program) return fail(program.error());
  return std::make_unique<LogTarget>(cluster, options);
}

std::vector<OptionSpec> log_options() {
  using Type = OptionSpec::Type;
  const auto choice = [](std::string key, std::string value, std::string help, std::vector<std::string> choices) {
    return OptionSpec{std::move(key), Type::string, Value(std::move(value)), std::move(help),
                      std::nullopt,   std::nullopt, std::move(choices)};
  };
  return {
      {"log.binary", Type::string, "",
       "an ordeal-log of this machine to upload; empty: the one built with this program"},
      {"log.bug", Type::string, "none", "a planted bug of ordeal-log-buggy, by name (targets/log/server/bugs.h)"},
      {"log.dir", Type::string, "/var/lib/ordeal/log", "directory on the nodes for program, data and log"},
      {"log.client-port", Type::integer, 7300, "port for clients", 1, 65535},
      {"log.peer-port", Type::integer, 7301, "port for the other nodes", 1, 65535},
      {"log.election-ms", Type::integer, 150, "election time-outs are drawn from this to twice this", 20, 60'000},
      {"log.heartbeat-ms", Type::integer, 50, "milliseconds between the leader's heartbeats", 10, 10'000},
      {"log.snapshot-entries", Type::integer, 200, "entries after which a node takes a snapshot", 1, 1e9},
      {"log.lease-reads", Type::boolean, false, "linearizable reads by the leader's lease rather than ReadIndex"},
      {"log.flags", Type::string, "", "further arguments for ordeal-log, separated by spaces"},
      {"log.upgrade-flags", Type::string, "",
       "arguments that the second version has beside those of the first (the last of two wins); for rolling-upgrade"},
      {"log.sudo", Type::boolean, true, "control ordeal-log as root when the login user is somebody else"},
      {"log.local-reads", Type::boolean, false, "reads answered by the node alone: they may be stale"},
      choice("log.set", "set", "what the set is: a set, or the append-only log itself", {"set", "log"}),
      choice("log.ids", "ids", "what unique ids are: ids, or positions in the append-only log", {"ids", "log"}),
      {"log.lock-ttl", Type::integer, 20, "seconds to live of a lock whose owner is not heard of", 1, 3600},
      {"log.visibility", Type::duration, 5.0,
       "after which time a message that was received and not settled comes again", 0.1, 3600},
      {"log.max-attempts", Type::integer, 3, "deliveries of a message until it is a dead letter", 1, 1000},
      {"log.accounts", Type::integer, 8, "accounts of the bank", 1, 100},
  };
}

}  // namespace

TargetFactory log_target() {
  TargetFactory factory;
  factory.name = "log";
  factory.help = "ordeal-log, the project's own replicated log; every worker talks to its own node only";
  factory.operations = LogClient::operations();
  factory.options = log_options();
  factory.make = make;
  return factory;
}

}  // namespace ordeal
