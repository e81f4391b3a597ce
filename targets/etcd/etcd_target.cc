#include "targets/etcd/etcd_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/text.h"
#include "targets/etcd/client.h"
#include "targets/etcd/etcd_scripts.h"
#include "targets/etcd/membership.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kLocalBinary = "/usr/bin/etcd";
constexpr const char* kCopy = "cp \"$carrier\" \"$new\"";  // how an uploaded program gets to its place

std::vector<EtcdMember> members_of(const Cluster& cluster) {
  std::vector<EtcdMember> out;
  for (const auto& node : cluster.nodes) out.push_back({node->name(), node->address()});
  return out;
}

class EtcdTarget : public Target,
                   private Target::ClientSetup,
                   private Target::Installation,
                   private Target::Files,
                   private Target::Processes,
                   private Target::Roles,
                   private Target::Versions {
 public:
  EtcdTarget(Cluster& cluster, const Options& options)
      : cluster_(cluster), options_(options), members_(members_of(cluster)), second_(members_.size()) {}

  std::string_view name() const override { return "etcd"; }
  Result<std::unique_ptr<Client>> client(std::size_t node) override {
    EtcdClientOptions options;
    options.serializable_reads = options_.boolean("etcd.serializable-reads");
    options.set_by_cas = options_.string("etcd.set") == "cas";
    options.counter = data_type_ == "counter";
    options.lock_ttl_s = options_.integer("etcd.lock-ttl");
    return std::make_unique<EtcdClient>(endpoint(node), options, SlowTransactions(options_, clients_.fetch_add(1)));
  }

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
  // What etcd's logger writes at its last two levels, and what the Go runtime writes when it gives up.
  std::string log_pattern() const override {
    return R"re("level":"(panic|dpanic|fatal)"|^panic: |^fatal error: |^unexpected fault address)re";
  }
  Result<void> kill(Node& node) override { return signal(node, "KILL", true, 5); }
  Result<void> pause(Node& node) override { return signal(node, "STOP", false, 0); }
  Result<void> resume(Node& node) override { return signal(node, "CONT", false, 0); }
  Result<std::vector<int>> pids(Node& node) override;
  std::string start_script(const Node& node) override;
  Result<std::vector<std::size_t>> primaries(Deadline deadline) override;
  double election_timeout_s() const override {
    return static_cast<double>(options_.integer("etcd.election-ms")) / 1000;
  }
  std::string problem() const override;
  void choose(Node& node, Version version) override { second_[index_of(node)] = version == Version::second; }
  Result<Running> running(Node& node, Deadline deadline) override;

  [[nodiscard]] EtcdPaths paths(const Node& node) const { return etcd_paths(options_, node.name()); }
  [[nodiscard]] std::string endpoint(std::size_t node) const {
    return etcd_url(members_[node].address, options_.integer("etcd.client-port"));
  }
  [[nodiscard]] std::size_t index_of(const Node& node) const;
  [[nodiscard]] Command script(std::string text, milliseconds timeout = milliseconds(30'000)) const;
  Result<void> signal(Node& node, const std::string& signal, bool gone, int wait_s);
  // Ends the member and deletes its data.
  Result<void> erase(Node& node, bool with_log);
  Result<void> upload(Node& node, const std::string& local, const std::string& unpack, const std::string& binary);
  Result<void> install_first(Node& node);
  [[nodiscard]] EtcdVariant variant(std::size_t node);
  [[nodiscard]] std::string start_text(std::size_t node);
  // With the program of the version that start() starts.
  [[nodiscard]] EtcdPaths program_paths(std::size_t node) const;
  [[nodiscard]] std::string rejoin_script(const Node& node) const;
  Result<void> await_member(std::size_t node, Deadline deadline);
  std::string unready(std::size_t node, Deadline deadline);
  std::string log_tail(Node& node);

  Cluster& cluster_;
  const Options& options_;
  const std::vector<EtcdMember> members_;
  std::vector<std::atomic<bool>> second_;  // by node: start() starts the second version
  EtcdMembership membership_{members_, options_.integer("etcd.client-port"), options_.integer("etcd.peer-port"),
                             [this](Node& node) { return erase(node, false); },
                             [this](const Node& node) { return rejoin_script(node); }};
  std::string data_type_;
  std::atomic<std::uint64_t> clients_{0};
};

std::size_t EtcdTarget::index_of(const Node& node) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].name == node.name()) return i;
  }
  ORDEAL_CHECK(false, "a node that is not of this cluster");
}

Command EtcdTarget::script(std::string text, milliseconds timeout) const {
  Command command(std::move(text));
  command.timeout = timeout;
  command.sudo = options_.boolean("etcd.sudo");
  command.idempotent = true;  // all scripts of etcd_scripts.h are
  return command;
}

Result<void> EtcdTarget::signal(Node& node, const std::string& signal, bool gone, int wait_s) {
  const auto output = node.run(script(etcd_signal_script(paths(node), signal, gone, wait_s)));
  if (!output) return fail(output.error());
  if (output->exit_code == 0) return {};
  return fail(ErrorCode::target, fmt::format("{}: etcd is still there {} s after SIG{} (exit code {}) {}", node.name(),
                                             wait_s, signal, output->exit_code, output->err));
}

Result<void> EtcdTarget::upload(Node& node, const std::string& local, const std::string& unpack,
                                const std::string& binary) {
  // The login user may not write below etcd.dir; the file takes the way over a directory in /tmp that nobody else on
  // the node can have made, or can write to: what arrives there is run as root.
  const auto made = run_ok(node, Command("umask 077; mktemp -d /tmp/ordeal-etcd-XXXXXX"));
  if (!made) return fail(made.error().during("making a directory for etcd's program"));
  const std::string carrier = std::string(trimmed(*made)) + "/program";
  if (auto sent = node.upload(local, carrier); !sent) return sent;
  const EtcdPaths where = paths(node);
  const auto moved = run_ok(
      node, script(fmt::format("set -e\nmkdir -p {home}/bin\ncarrier={carrier}; new={bin}.new\n{unpack}\n"
                               "chmod 755 \"$new\"\nmv -f \"$new\" {bin}\nrm -rf \"${{carrier%/*}}\"\n",
                               fmt::arg("home", shell_quote(where.home)), fmt::arg("carrier", shell_quote(carrier)),
                               fmt::arg("bin", shell_quote(binary)), fmt::arg("unpack", unpack))));
  if (!moved) return fail(moved.error().during("installing etcd from " + local));
  const auto runs = run_ok(node, script(shell_quote(binary) + " --version"));
  if (!runs) return fail(runs.error().during(local + " does not run on the node"));
  return {};
}

Result<void> EtcdTarget::install(Node& node) {
  if (auto first = install_first(node); !first) return first;
  const std::string second = options_.string("etcd.upgrade-binary");
  if (second.empty()) return {};
  return upload(node, second, kCopy, paths(node).second_binary);
}

Result<void> EtcdTarget::install_first(Node& node) {
  const std::string binary = options_.string("etcd.binary");
  const std::string archive = options_.string("etcd.archive");
  const std::string place = paths(node).binary;
  if (!binary.empty() && !archive.empty()) return fail(ErrorCode::usage, "give etcd.binary or etcd.archive, not both");
  if (!binary.empty()) return upload(node, binary, kCopy, place);
  if (!archive.empty()) {
    return upload(node, archive,
                  "member=$(tar -tzf \"$carrier\" | grep -E '(^|/)etcd$' | head -n 1)\n"
                  "[ -n \"$member\" ] || { echo 'the archive contains no file named etcd' >&2; exit 5; }\n"
                  "tar -xzOf \"$carrier\" \"$member\" >\"$new\"",
                  place);
  }
  // A binary that an earlier run uploaded must not stand in for the one that is wanted now.
  const auto there =
      node.run(script(fmt::format("rm -f {}; command -v etcd || test -x {}", shell_quote(place), kLocalBinary)));
  if (!there) return fail(there.error());
  if (there->exit_code == 0) return {};
  std::error_code ignored;
  if (std::filesystem::exists(kLocalBinary, ignored)) return upload(node, kLocalBinary, kCopy, place);
  return fail(ErrorCode::target, node.name() +
                                     ": there is no etcd on the node and none here; install Debian's package "
                                     "etcd-server on either, or give --set etcd.binary=FILE");
}

Result<void> EtcdTarget::erase(Node& node, bool with_log) {
  // A stopped process dies of SIGKILL all the same.
  if (auto killed = kill(node); !killed) return killed;
  const auto removed = run_ok(node, script(etcd_erase_script(paths(node), with_log)));
  if (!removed) return fail(removed.error().during("wiping etcd's data"));
  return {};
}

EtcdVariant EtcdTarget::variant(std::size_t node) {
  return {membership_.joins(node, steady_clock::now() + milliseconds(5'000)), second_[node].load()};
}

std::string EtcdTarget::start_text(std::size_t node) {
  const EtcdVariant how = variant(node);
  return etcd_start_script(program_paths(node), etcd_arguments(options_, members_, node, how));
}

EtcdPaths EtcdTarget::program_paths(std::size_t node) const {
  EtcdPaths out = paths(*cluster_.nodes[node]);
  if (second_[node].load() && !options_.string("etcd.upgrade-binary").empty()) out.binary = out.second_binary;
  return out;
}

std::string EtcdTarget::rejoin_script(const Node& node) const {
  const std::size_t self = index_of(node);
  if (!options_.boolean("etcd.sudo")) return "";
  return etcd_rejoin_script(options_, members_, self, program_paths(self), second_[self].load());
}

// Without sudo it runs as the login user, whom a script for root does not know.
std::string EtcdTarget::start_script(const Node& node) {
  const std::size_t self = index_of(node);
  return options_.boolean("etcd.sudo") && !membership_.is_out(self) ? start_text(self) : "";
}

Result<void> EtcdTarget::start(Node& node) {
  const std::size_t self = index_of(node);
  if (membership_.is_out(self))
    return fail(ErrorCode::target, node.name() + ": it is not a member of the cluster at the moment");
  const auto output = node.run(script(start_text(self)));
  if (!output) return fail(output.error());
  if (output->exit_code == 0) return {};
  return fail(ErrorCode::target, fmt::format("{}: etcd did not start: {}", node.name(), etcd_last_words(output->err)));
}

std::string EtcdTarget::problem() const {
  if (!options_.string("etcd.upgrade-binary").empty()) return "";
  const auto flags = etcd_upgrade_flags(options_);
  if (flags.empty()) return "target etcd has no second version: set etcd.upgrade-flags or etcd.upgrade-binary";
  const auto first = etcd_arguments(options_, members_, 0);
  const bool same = std::all_of(flags.begin(), flags.end(), [&](const std::string& flag) {
    return std::find(first.begin(), first.end(), flag) != first.end();
  });
  return same ? "etcd.upgrade-flags: the first version has these flags, too" : "";
}

Result<Target::Versions::Running> EtcdTarget::running(Node& node, Deadline deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
  const auto printed = run_ok(node, script(etcd_commands_script(paths(node)), std::max(left, milliseconds(100))));
  if (!printed) return fail(printed.error());
  std::istringstream lines(*printed);
  Running out{std::nullopt, "no process runs"};
  std::string program;
  if (!std::getline(lines, program)) return out;
  std::vector<std::string> words;
  for (std::string word; std::getline(lines, word) && !word.empty();) words.push_back(word);
  const bool two_programs = !options_.string("etcd.upgrade-binary").empty();
  const auto flags = etcd_upgrade_flags(options_);
  std::string shown;
  std::size_t had = 0;
  for (const auto& flag : flags) {
    if (std::find(words.begin(), words.end(), flag) == words.end()) continue;
    ++had;
    shown += " " + flag;
  }
  const bool second_program = program == paths(node).second_binary;
  out.evidence = fmt::format("{}{}", program,
                             flags.empty() ? ""
                             : had == 0    ? " without " + flags.front()
                                           : " with" + shown);
  if (second_program == two_programs && had == flags.size()) {
    out.version = Version::second;
  } else if (!second_program && had < std::max<std::size_t>(1, flags.size())) {
    out.version = Version::first;
  }
  return out;
}

Result<void> EtcdTarget::stop(Node& node) {
  // SIGTERM only reaches a process that runs; a leader that hands over its leadership needs a moment.
  if (auto resumed = signal(node, "CONT", false, 0); !resumed) return resumed;
  if (signal(node, "TERM", true, 10)) return {};
  return kill(node);
}

Result<std::vector<int>> EtcdTarget::pids(Node& node) {
  const auto out = run_ok(node, script(etcd_pids_script(paths(node)), milliseconds(10'000)));
  if (!out) return fail(out.error());
  std::vector<int> found;
  std::istringstream words(*out);
  for (int pid = 0; words >> pid;) found.push_back(pid);
  return found;
}

// Empty when the member is healthy and answers a linearizable read; else why not.
std::string EtcdTarget::unready(std::size_t node, Deadline deadline) {
  EtcdApi api(endpoint(node));
  const auto health = api.page("/health", deadline);
  if (!health) return health.error().message;
  // "true" in quotes up to etcd 3.5; with the alarms' reason beside it later.
  const Value* healthy = health->find("health");
  if (healthy == nullptr || !healthy->is_string() || healthy->string() != "true") {
    return "its health is " + health->to_json();
  }
  const auto read = api.range({etcd_key("ordeal-ready")}, deadline);
  return read ? std::string() : "a linearizable read failed: " + read.error().message;
}

std::string EtcdTarget::log_tail(Node& node) {
  // Since the last start: the first line, where a wrong flag is named before the usage, and the last ones.
  static constexpr const char* kWords =
      R"awk(awk '/^ordeal: starting/ { n = 0; next } /"level":"info"/ { next } { line[n++] = $0 }
END { for (i = 0; i < n; i++) if (i == 0 || i >= n - 3) print line[i] }' )awk";
  const auto words = node.run(script(kWords + shell_quote(paths(node).log), milliseconds(5'000)));
  return words ? etcd_last_words(words->out) : words.error().message;
}

Result<void> EtcdTarget::await_ready(Deadline deadline) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (auto ready = await_member(i, deadline); !ready) return ready;
  }
  return {};
}

Result<void> EtcdTarget::await_member(std::size_t i, Deadline deadline) {
  auto next_look = steady_clock::now() + milliseconds(1'000);
  int missing = 0;  // how many looks in a row found no process
  while (true) {
    const std::string wrong = unready(i, deadline.within(milliseconds(2'000)));
    if (wrong.empty()) return {};
    const auto now = steady_clock::now();
    if (now >= next_look) {
      const auto found = pids(cluster_.at(i));
      missing = found && found->empty() ? missing + 1 : 0;
      next_look = now + milliseconds(1'000);
    }
    // A process that is gone does not come back by itself; there is no point in waiting for the deadline.
    const bool over = now + milliseconds(50) >= deadline;
    if (over || missing >= 2) {
      return fail(ErrorCode::target,
                  fmt::format("{}: etcd {}: {}; its log says: {}", members_[i].name,
                              missing >= 2 ? "has ended" : "does not serve", wrong, log_tail(cluster_.at(i))));
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
}

Result<std::vector<std::size_t>> EtcdTarget::primaries(Deadline deadline) {
  // Asked all at once, so that members that do not answer cost one second together.
  const Deadline each = deadline.within(milliseconds(1'000));
  std::vector<EtcdAnswer<EtcdStatus>> answers(members_.size(), tl::unexpected(EtcdProblem{}));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      threads.emplace_back([this, i, each, &answers] { answers[i] = EtcdApi(endpoint(i)).status(each); });
    }
  }
  std::vector<std::pair<std::int64_t, std::size_t>> leaders;  // term, negated so that the highest sorts first
  bool any = false;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) continue;
    any = true;
    if (answers[i]->leader != 0 && answers[i]->leader == answers[i]->member) leaders.emplace_back(-answers[i]->term, i);
  }
  if (!any && !answers.empty()) {
    return fail(ErrorCode::target, "no member of etcd tells its status: " + answers.front().error().message);
  }
  std::sort(leaders.begin(), leaders.end());
  std::vector<std::size_t> out;
  for (const auto& [term, node] : leaders) out.push_back(node);
  return out;
}

Result<Value> EtcdTarget::describe(Node& node) {
  const std::size_t self = index_of(node);
  Value out = Value::map({{"system", "etcd"}, {"endpoint", endpoint(self)}});
  EtcdApi api(endpoint(self));
  if (const auto version = api.page("/version", steady_clock::now() + milliseconds(2'000)); version) {
    for (const char* field : {"etcdserver", "etcdcluster"}) {
      if (const Value* found = version->find(field)) out.set(field, *found);
    }
  }
  const auto program = run_ok(
      node, script(fmt::format(
                "bin={}; [ -x \"$bin\" ] || bin=$(command -v etcd || echo {}); echo \"$bin\"; \"$bin\" --version",
                shell_quote(paths(node).binary), kLocalBinary)));
  if (program) {
    std::istringstream lines(*program);
    std::string line;
    Value text = Value::list();
    while (std::getline(lines, line)) text.items().push_back(line);
    out.set("program", std::move(text));
  }
  Value arguments = Value::list();
  for (const auto& argument : etcd_arguments(options_, members_, self, variant(self))) {
    arguments.items().push_back(argument);
  }
  out.set("arguments", std::move(arguments));
  return out;
}

Result<std::unique_ptr<Target>> make(Cluster& cluster, const Options& options) {
  if (cluster.size() == 0) return fail(ErrorCode::usage, "target etcd needs at least one node");
  for (const char* key : {"etcd.binary", "etcd.archive", "etcd.upgrade-binary"}) {
    const std::string file = options.string(key);
    std::error_code ignored;
    if (!file.empty() && !std::filesystem::is_regular_file(file, ignored)) {
      return fail(ErrorCode::usage, fmt::format("option {}: there is no file \"{}\"", key, file));
    }
  }
  const std::int64_t heartbeat = options.integer("etcd.heartbeat-ms");
  const std::int64_t election = options.integer("etcd.election-ms");
  if (election < 5 * heartbeat) {  // etcd refuses to start otherwise
    return fail(
        ErrorCode::usage,
        fmt::format("option etcd.election-ms: {} is less than five times etcd.heartbeat-ms ({})", election, heartbeat));
  }
  return std::make_unique<EtcdTarget>(cluster, options);
}

}  // namespace

TargetFactory etcd_target() {
  using Type = OptionSpec::Type;
  TargetFactory factory;
  factory.name = "etcd";
  factory.help = "etcd 3.4 and later over its v3 JSON gateway; every worker talks to its own node's member only";
  factory.operations = EtcdClient::operations();
  factory.options = {
      {"etcd.binary", Type::string, "", "an etcd program of this machine to upload to the nodes"},
      {"etcd.archive", Type::string, "", "a release archive (.tar.gz) with a file named etcd, to upload to the nodes"},
      {"etcd.dir", Type::string, "/var/lib/ordeal/etcd", "directory on the nodes for program, data and log"},
      {"etcd.client-port", Type::integer, 2379, "port for clients", 1, 65535},
      {"etcd.peer-port", Type::integer, 2380, "port for the other members", 1, 65535},
      {"etcd.snapshot-count", Type::integer, 100, "entries after which a member takes a snapshot", 1, 1e9},
      {"etcd.heartbeat-ms", Type::integer, 100, "milliseconds between the leader's heartbeats", 1, 10'000},
      {"etcd.election-ms", Type::integer, 1000, "milliseconds without a heartbeat until an election", 10, 50'000},
      {"etcd.flags", Type::string, "", "further arguments for etcd, separated by spaces"},
      {"etcd.upgrade-flags", Type::string, "",
       "arguments that the second version has beside those of the first (the last of two wins); for rolling-upgrade"},
      {"etcd.upgrade-binary", Type::string, "",
       "an etcd program of this machine to upload to the nodes as the second version; for rolling-upgrade"},
      {"etcd.sudo", Type::boolean, true, "control etcd as root when the login user is somebody else"},
      {"etcd.serializable-reads", Type::boolean, false,
       "reads answered by the member alone, without asking the leader: they may be stale"},
      {"etcd.set",
       Type::string,
       "keys",
       "what the set is: one key an element, or one key changed by compare-and-set",
       std::nullopt,
       std::nullopt,
       {"keys", "cas"}},
      {"etcd.lock-ttl", Type::integer, 10, "seconds to live of a lock whose owner is not heard of", 1, 3600},
  };
  for (OptionSpec& one : slow_transaction_options()) factory.options.push_back(std::move(one));
  factory.make = make;
  factory.check_options = [](const Options& options, const std::string& data_type) {
    return check_slow_transactions(options, data_type, {"list-append", "rw-register"});
  };
  return factory;
}

}  // namespace ordeal
