#include "targets/cockroachdb/cockroachdb_target.h"

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/text.h"
#include "targets/cockroachdb/cockroachdb_scripts.h"
#include "targets/cockroachdb/cockroachdb_statements.h"
#include "targets/http/http_session.h"
#include "targets/sql/client.h"
#include "targets/sql/options.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class CockroachTarget final : public Target,
                              private Target::ClientSetup,
                              private Target::Installation,
                              private Target::Files,
                              private Target::Processes,
                              private Target::Roles {
 public:
  CockroachTarget(Cluster& cluster, const Options& options) : cluster_(cluster), options_(options) {
    for (const auto& node : cluster.nodes) addresses_.push_back(node->address());
  }

  std::string_view name() const override { return "cockroachdb"; }
  Result<std::unique_ptr<Client>> client(std::size_t node) override {
    return std::make_unique<SqlClient>(settings(node), shape(), data_type_, std::nullopt,
                                       SlowTransactions(options_, clients_.fetch_add(1)));
  }

  Result<void> start(Node& node) override;
  Result<void> stop(Node& node) override;
  Result<void> await_ready(Deadline deadline) override;
  Result<void> await_node(Node& node, Deadline deadline) override { return await(index_of(node), deadline); }
  Target::ClientSetup* client_setup() override { return this; }
  Target::Installation* installation() override { return this; }
  const Target::Files* files() const override { return this; }
  Target::Processes* processes() override { return this; }
  Target::Roles* roles() override { return this; }

 private:
  void use(std::string_view data_type) override { data_type_ = data_type; }
  Result<void> prepare(Deadline deadline) override;
  Result<void> install(Node& node) override;
  Result<void> wipe(Node& node) override;
  Result<Value> describe(Node& node) override;
  std::vector<std::string> log_files(const Node& node) const override { return {paths(node).log}; }
  std::vector<std::string> data_directories(const Node& node) const override { return {paths(node).data}; }
  // Not every fatal line: a node whose clock is too far off ends itself with one, and has to.
  std::string log_pattern() const override {
    return "panic:|fatal error:|checksum mismatch|replica inconsistency|consistency check failed|Raft log corruption";
  }
  Result<void> kill(Node& node) override { return signal(node, "KILL", 5); }
  Result<void> pause(Node& node) override { return signal(node, "STOP", 0); }
  Result<void> resume(Node& node) override { return signal(node, "CONT", 0); }
  Result<std::vector<int>> pids(Node& node) override;
  std::string start_script(const Node& node) override;
  Result<std::vector<std::size_t>> primaries(Deadline deadline) override;

  [[nodiscard]] CockroachPaths paths(const Node& node) const { return cockroach_paths(options_, node.name()); }
  [[nodiscard]] SqlSession::Settings settings(std::size_t node) const;
  [[nodiscard]] SqlShape shape() const;
  [[nodiscard]] std::size_t index_of(const Node& node) const;
  [[nodiscard]] std::string start_text(const Node& node) const;
  [[nodiscard]] Command script(std::string text, milliseconds timeout = milliseconds(30'000)) const;
  // 0 seconds: does not wait until it is gone.
  Result<void> signal(Node& node, const std::string& signal, int wait_s);
  Result<void> upload(Node& node, const std::string& local, const std::string& unpack);
  Result<void> initialize(Deadline deadline);
  // Empty when the node says that it is ready, and writes; else why not.
  std::string unready(std::size_t node, Deadline deadline);
  Result<void> await(std::size_t node, Deadline deadline);
  std::string log_tail(Node& node);

  Cluster& cluster_;
  const Options& options_;
  std::vector<std::string> addresses_;
  std::atomic<bool> initialized_ = false;
  std::atomic<std::uint64_t> clients_{0};
  std::string data_type_;
};

SqlSession::Settings CockroachTarget::settings(std::size_t node) const {
  const SqlDialect& dialect = cockroachdb_dialect();
  return {.endpoint = {.address = addresses_[node],
                       .port = static_cast<int>(options_.integer("cockroachdb.sql-port")),
                       .user = std::string(dialect.user),
                       .database = std::string(dialect.database)},
          .dialect = &dialect,
          .isolation = sql_isolation(options_, "cockroachdb"),
          .retries = static_cast<int>(options_.integer("cockroachdb.retries"))};
}

SqlShape CockroachTarget::shape() const {
  SqlShape out = sql_shape(options_, "cockroachdb");
  out.row_lock = true;  // it has no advisory locks
  return out;
}

std::size_t CockroachTarget::index_of(const Node& node) const {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.at(i).name() == node.name()) return i;
  }
  ORDEAL_CHECK(false, "a node that is not of this cluster");
}

std::string CockroachTarget::start_text(const Node& node) const {
  return cockroach_start_script(options_, node.name(), addresses_, index_of(node));
}

Command CockroachTarget::script(std::string text, milliseconds timeout) const {
  Command command(std::move(text));
  command.timeout = timeout;
  command.sudo = options_.boolean("cockroachdb.sudo");
  command.idempotent = true;  // all scripts of cockroachdb_scripts.h are
  return command;
}

Result<void> CockroachTarget::signal(Node& node, const std::string& signal, int wait_s) {
  auto done = run_ok(node, script(cockroach_signal_script(options_, node.name(), signal, wait_s)));
  if (!done) return fail(done.error().during("sending SIG" + signal + " to CockroachDB"));
  return {};
}

// The login user may not write below cockroachdb.dir; the file takes the way over a directory in /tmp that nobody else
// on the node can have made, or can write to.
Result<void> CockroachTarget::upload(Node& node, const std::string& local, const std::string& unpack) {
  const auto made = run_ok(node, Command("umask 077; mktemp -d /tmp/ordeal-cockroach-XXXXXX"));
  if (!made) return fail(made.error().during("making a directory for CockroachDB's program"));
  const std::string carrier = std::string(trimmed(*made)) + "/program";
  if (auto sent = node.upload(local, carrier); !sent) return sent;
  const auto moved = run_ok(
      node, script(fmt::format("set -e\nbin={}\ncarrier={}\nmkdir -p \"${{bin%/*}}\"\n{}\nchmod 755 \"$bin.new\"\n"
                               "mv -f \"$bin.new\" \"$bin\"\nrm -rf \"${{carrier%/*}}\"\n\"$bin\" version >/dev/null\n",
                               shell_quote(paths(node).binary), shell_quote(carrier), unpack),
                   milliseconds(120'000)));
  if (!moved) return fail(moved.error().during("installing CockroachDB from " + local));
  return {};
}

Result<void> CockroachTarget::install(Node& node) {
  if (const std::string binary = options_.string("cockroachdb.binary"); !binary.empty())
    return upload(node, binary, "cp \"$carrier\" \"$bin.new\"");
  if (const std::string archive = options_.string("cockroachdb.archive"); !archive.empty()) {
    return upload(node, archive,
                  "member=$(tar -tzf \"$carrier\" | grep -E '(^|/)cockroach$' | head -n 1)\n"
                  "[ -n \"$member\" ] || { echo 'the archive contains no file named cockroach' >&2; exit 5; }\n"
                  "tar -xzOf \"$carrier\" \"$member\" >\"$bin.new\"");
  }
  // A program that an earlier run uploaded must not stand in for the one that is wanted now.
  auto found = node.run(script("rm -f " + shell_quote(paths(node).binary) + "; command -v cockroach"));
  if (!found) return fail(found.error());
  if (found->exit_code == 0) return {};
  return fail(ErrorCode::target,
              node.name() +
                  ": there is no cockroach. Its vendor's terms keep it from being fetched here: give "
                  "--set cockroachdb.binary=FILE or --set cockroachdb.archive=FILE.tgz");
}

Result<void> CockroachTarget::wipe(Node& node) {
  if (auto killed = kill(node); !killed) return killed;
  initialized_ = false;
  auto removed = run_ok(node, script(cockroach_erase_script(options_, node.name())));
  if (!removed) return fail(removed.error().during("wiping CockroachDB's data"));
  return {};
}

// Without sudo it runs as the login user, whom a script for root does not know.
std::string CockroachTarget::start_script(const Node& node) {
  return options_.boolean("cockroachdb.sudo") ? start_text(node) : "";
}

Result<void> CockroachTarget::start(Node& node) {
  auto done = run_ok(node, script(start_text(node)));
  if (!done) return fail(done.error().during("starting CockroachDB"));
  return {};
}

// SIGTERM drains: it hands leases over first.
Result<void> CockroachTarget::stop(Node& node) {
  if (auto resumed = resume(node); !resumed) return resumed;
  if (signal(node, "TERM", 25)) return {};
  return kill(node);
}

Result<std::vector<int>> CockroachTarget::pids(Node& node) {
  auto said = run_ok(node, script(cockroach_pids_script(options_, node.name()), milliseconds(10'000)));
  if (!said) return fail(said.error());
  std::vector<int> out;
  std::istringstream words(*said);
  for (int pid = 0; words >> pid;) out.push_back(pid);
  return out;
}

std::string CockroachTarget::log_tail(Node& node) {
  auto said = run_ok(node, script("tail -n 3 " + shell_quote(paths(node).log)));
  return said ? std::string(trimmed(*said)) : said.error().message;
}

Result<void> CockroachTarget::initialize(Deadline deadline) {
  if (cluster_.size() == 1 || initialized_) return {};
  while (true) {
    auto done = run_ok(cluster_.at(0), script(cockroach_init_script(options_, cluster_.at(0).name(), addresses_[0])));
    if (done) {
      initialized_ = true;
      return {};
    }
    if (deadline.passed()) return fail(done.error().during("initializing the cluster"));
    std::this_thread::sleep_for(milliseconds(200));
  }
}

std::string CockroachTarget::unready(std::size_t node, Deadline deadline) {
  HttpSession http;
  const auto health = http.perform(
      {.url = "http://" + host_port(addresses_[node], static_cast<int>(options_.integer("cockroachdb.http-port"))) +
              "/health?ready=1",
       .body = "",
       .get = true,
       .idempotent = true},
      deadline);
  if (!health) return health.error().message;
  if (health->status != 200) return fmt::format("/health?ready=1 answers {}: {}", health->status, health->body);
  // It may say so while writes stall.
  SqlSession session(settings(node));
  std::vector<SqlRows> ignored;
  const auto problem =
      session.direct({{"CREATE TABLE IF NOT EXISTS ordeal_ready (k text PRIMARY KEY, v text)"},
                      {"UPSERT INTO ordeal_ready (k, v) VALUES ($1, $2)", {std::to_string(node), "ready"}}},
                     ignored, deadline);
  return problem ? problem->error->message : "";
}

Result<void> CockroachTarget::await(std::size_t node, Deadline deadline) {
  auto next_look = steady_clock::now() + milliseconds(1'000);
  int missing = 0;  // how many looks in a row found no process
  while (true) {
    const std::string wrong = unready(node, deadline.within(milliseconds(3'000)));
    if (wrong.empty()) return {};
    const auto now = steady_clock::now();
    if (now >= next_look) {
      const auto found = pids(cluster_.at(node));
      missing = found && found->empty() ? missing + 1 : 0;
      next_look = now + milliseconds(1'000);
    }
    // A process that is gone does not come back by itself.
    if (now + milliseconds(100) >= deadline || missing >= 2) {
      return fail(ErrorCode::target,
                  fmt::format("{}: CockroachDB {}: {}; its log says: {}", cluster_.at(node).name(),
                              missing >= 2 ? "has ended" : "does not serve", wrong, log_tail(cluster_.at(node))));
    }
    std::this_thread::sleep_for(milliseconds(100));
  }
}

Result<void> CockroachTarget::await_ready(Deadline deadline) {
  if (auto done = initialize(deadline); !done) return done;
  for (std::size_t node = 0; node < cluster_.size(); ++node) {
    if (auto ready = await(node, deadline); !ready) return ready;
  }
  return {};
}

Result<void> CockroachTarget::prepare(Deadline deadline) {
  SqlSession session(settings(0));
  std::vector<SqlRows> rows;
  for (const auto& one : cockroach_settings(options_, cluster_.size())) {
    const auto problem = session.direct({{one.text}}, rows, deadline);
    if (problem && !one.may_fail) return fail(ErrorCode::target, one.text + ": " + problem->error->message);
  }
  if (auto made = prepare_sql(session, shape(), data_type_, deadline); !made) return made;
  const std::size_t wanted = cluster_.size() < 3 ? 1 : 3;
  while (true) {
    std::string least = "none";
    const auto problem = session.direct({{cockroach_replication().text}}, rows, deadline);
    if (!problem && !rows[0].rows.empty()) least = rows[0].rows[0][0].value_or("none");
    const Value count = sql_value(least);
    if (count.is_integer() && count.integer() >= static_cast<std::int64_t>(wanted)) return {};
    if (deadline.passed()) {
      return fail(ErrorCode::target, fmt::format("a range has {} replicas and not {}: {}", least, wanted,
                                                 problem ? problem->error->message : ""));
    }
    std::this_thread::sleep_for(milliseconds(200));
  }
}

// Those that hold leases of the workload's tables, most of them first.
Result<std::vector<std::size_t>> CockroachTarget::primaries(Deadline deadline) {
  const std::vector<std::string> tables = sql_tables(cockroachdb_dialect(), shape(), data_type_);
  std::string wrong = "no node answers";
  for (std::size_t asked = 0; asked < cluster_.size() && !tables.empty(); ++asked) {
    SqlSession session(settings(asked));
    const Deadline each = deadline.within(milliseconds(1'000));
    std::vector<SqlRows> nodes;
    std::vector<SqlRows> leases;
    if (const auto problem = session.direct({{cockroach_nodes().text}}, nodes, each)) {
      wrong = problem->error->message;
      continue;
    }
    for (const auto& one : cockroach_leaseholders(tables.front())) {
      if (const auto problem = session.direct({{one.text}}, leases, each)) {
        wrong = problem->error->message;
        continue;
      }
      std::vector<std::size_t> out;
      for (const auto& lease : leases[0].rows) {
        for (const auto& node : nodes[0].rows) {
          for (std::size_t i = 0; i < addresses_.size(); ++i) {
            const std::string address =
                host_port(addresses_[i], static_cast<int>(options_.integer("cockroachdb.rpc-port")));
            if (node[0] == lease[0] && node[1] == address) out.push_back(i);
          }
        }
      }
      return out;
    }
  }
  return fail(ErrorCode::target, "nobody says who holds the leases: " + wrong);
}

Result<Value> CockroachTarget::describe(Node& node) {
  const std::size_t self = index_of(node);
  Value arguments = Value::list();
  for (const auto& one : cockroach_arguments(options_, node.name(), addresses_, self)) arguments.items().push_back(one);
  Value out = Value::map({{"system", "cockroachdb"},
                          {"isolation", sql_isolation(options_, "cockroachdb")},
                          {"arguments", std::move(arguments)}});
  SqlSession session(settings(self));
  std::vector<SqlRows> rows;
  if (!session.direct({{cockroach_version().text}}, rows, Deadline::after(milliseconds(2'000))))
    out.set("program", rows.at(0).rows.at(0).at(0).value_or(""));
  return out;
}

Result<std::unique_ptr<Target>> make(Cluster& cluster, const Options& options) {
  if (cluster.size() == 0) return fail(ErrorCode::usage, "target cockroachdb needs at least one node");
  if (!options.string("cockroachdb.binary").empty() && !options.string("cockroachdb.archive").empty())
    return fail(ErrorCode::usage, "give cockroachdb.binary or cockroachdb.archive, not both");
  for (const auto& [name, value] : cockroach_further_settings(options)) {
    if (name.empty() || value.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") != name.npos)
      return fail(ErrorCode::usage,
                  fmt::format("option cockroachdb.settings: \"{}={}\" is no NAME=VALUE", name, value));
  }
  for (const char* key : {"cockroachdb.binary", "cockroachdb.archive"}) {
    std::error_code ignored;
    const std::string file = options.string(key);
    if (!file.empty() && !std::filesystem::is_regular_file(file, ignored))
      return fail(ErrorCode::usage, fmt::format("option {}: there is no file \"{}\"", key, file));
  }
  return std::make_unique<CockroachTarget>(cluster, options);
}

std::vector<OptionSpec> own_options() {
  using Type = OptionSpec::Type;
  return {
      {"cockroachdb.binary", Type::string, "", "a cockroach program of this machine to upload to the nodes"},
      {"cockroachdb.archive", Type::string, "",
       "a release archive (.tgz) with a file named cockroach, to upload to the nodes"},
      {"cockroachdb.dir", Type::string, "/var/lib/ordeal/cockroachdb",
       "directory on the nodes for program, data and log"},
      {"cockroachdb.sql-port", Type::integer, 26257, "port for clients", 1, 65535},
      {"cockroachdb.rpc-port", Type::integer, 26258, "port for the other nodes", 1, 65535},
      {"cockroachdb.http-port", Type::integer, 8080, "port for health", 1, 65535},
      {"cockroachdb.max-offset", Type::string, "250ms",
       "how far clocks may be apart; beyond 80 % of it a node ends itself"},
      {"cockroachdb.linearizable", Type::boolean, false,
       "COCKROACH_EXPERIMENTAL_LINEARIZABLE: commits wait the clocks' offset out, and all is strictly serializable"},
      {"cockroachdb.range-min-bytes", Type::integer, 1024, "from which size on ranges are no longer merged", 0, 1e12},
      {"cockroachdb.range-max-bytes", Type::integer, 1'048'576, "from which size on ranges are split", 65'536, 1e12},
      {"cockroachdb.retries", Type::integer, 0,
       "how often a transaction that certainly did not happen (40001) is tried again within its operation, by "
       "savepoint",
       0, 1000},
      {"cockroachdb.organization", Type::string, "", "whose licence cockroachdb.license is"},
      {"cockroachdb.license", Type::string, "", "a licence key; it is kept in the run's plan"},
      {"cockroachdb.settings", Type::string, "", "further cluster settings NAME=VALUE, separated by spaces"},
      {"cockroachdb.environment", Type::string, "", "further NAME=VALUE for cockroach, separated by spaces"},
      {"cockroachdb.flags", Type::string, "", "further arguments for cockroach, separated by spaces"},
      {"cockroachdb.sudo", Type::boolean, true, "control CockroachDB as root when the login user is somebody else"},
  };
}

}  // namespace

TargetFactory cockroachdb_target() {
  TargetFactory factory;
  factory.name = "cockroachdb";
  factory.help = "CockroachDB, every worker at its own node; the program is yours to give (never tried on a real one)";
  factory.operations = sql_operations();
  factory.options = sql_options("cockroachdb", "first");
  for (auto& option : own_options()) factory.options.push_back(std::move(option));
  factory.make = make;
  factory.check_options = [](const Options& options, const std::string& data_type) {
    return check_sql_options(options, "cockroachdb", data_type);
  };
  return factory;
}

}  // namespace ordeal
