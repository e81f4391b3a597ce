#include "targets/postgres/postgres_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <thread>

#include "base/names.h"
#include "base/text.h"
#include "targets/postgres/beside.h"
#include "targets/postgres/postgres_scripts.h"
#include "targets/sql/client.h"
#include "targets/sql/options.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

SqlSession::Settings::Evidence evidence_named(const std::string& name) {
  using Evidence = SqlSession::Settings::Evidence;
  return name == "none" ? Evidence::none : name == "full" ? Evidence::full : Evidence::plan;
}

class PostgresTarget final : public Target,
                             private Target::ClientSetup,
                             private Target::Installation,
                             private Target::Files,
                             private Target::Processes,
                             private Target::Roles {
 public:
  PostgresTarget(Cluster& cluster, const Options& options) : cluster_(cluster), options_(options) {}
  ~PostgresTarget() override { stop_beside(); }

  std::string_view name() const override { return "postgres"; }
  Result<std::unique_ptr<Client>> client(std::size_t node) override {
    std::optional<SqlSession::Settings> reader;
    if (node != 0 && options_.string("postgres.reads") == "own") reader = settings(node);
    return std::make_unique<SqlClient>(settings(0), shape(), data_type_, std::move(reader),
                                       SlowTransactions(options_, clients_.fetch_add(1)));
  }

  Result<void> start(Node& node) override;
  Result<void> stop(Node& node) override;
  Result<void> await_ready(Deadline deadline) override;
  Result<void> await_node(Node& node, Deadline deadline) override { return await(index_of(node), false, deadline); }
  Target::ClientSetup* client_setup() override { return this; }
  Target::Installation* installation() override { return this; }
  const Target::Files* files() const override { return this; }
  Target::Processes* processes() override { return this; }
  Target::Roles* roles() override { return this; }

 private:
  void use(std::string_view data_type) override { data_type_ = data_type; }
  void log_to(std::function<void(std::string_view)> log) override;
  Result<void> prepare(Deadline deadline) override;
  Result<void> install(Node& node) override;
  Result<void> wipe(Node& node) override;
  Result<Value> describe(Node& node) override;
  std::vector<std::string> log_files(const Node& node) const override { return {paths(node).log}; }
  std::vector<std::string> data_directories(const Node& node) const override { return {paths(node).data}; }
  // A server that gave up, an assertion, a process that died of its own fault (SIGKILL is ours), damaged pages.
  std::string log_pattern() const override {
    return "PANIC: |TRAP: |was terminated by signal (4|6|7|8|11)|page verification failed|invalid page in block";
  }
  Result<void> kill(Node& node) override { return signal(node, "KILL", 5); }
  Result<void> pause(Node& node) override { return signal(node, "STOP", 0); }
  Result<void> resume(Node& node) override { return signal(node, "CONT", 0); }
  Result<std::vector<int>> pids(Node& node) override;
  std::string start_script(const Node& node) override;
  Result<std::vector<std::size_t>> primaries(Deadline deadline) override;

  [[nodiscard]] PostgresPaths paths(const Node& node) const { return postgres_paths(options_, node.name()); }
  [[nodiscard]] SqlSession::Settings settings(std::size_t node) const;
  [[nodiscard]] SqlShape shape() const;
  [[nodiscard]] std::size_t index_of(const Node& node) const;
  [[nodiscard]] std::string start_text(const Node& node) const;
  [[nodiscard]] Command script(std::string text, milliseconds timeout = milliseconds(60'000)) const;
  // 0 seconds: does not wait until it is gone.
  Result<void> signal(Node& node, const std::string& signal, int wait_s);
  // Empty when the primary commits, a standby answers, and, with `replicated`, follows the primary; else why not.
  std::string unready(std::size_t node, bool replicated, Deadline deadline);
  Result<void> await(std::size_t node, bool replicated, Deadline deadline);
  std::string log_tail(Node& node);
  // Ends what runs beside the workload, and tells the log of it.
  void stop_beside();

  Cluster& cluster_;
  const Options& options_;
  std::string data_type_;
  std::atomic<std::uint64_t> clients_{0};
  std::function<void(std::string_view)> log_;
  std::unique_ptr<PostgresBeside> beside_;  // nullptr: nothing
};

SqlSession::Settings PostgresTarget::settings(std::size_t node) const {
  const SqlDialect& dialect = postgres_dialect();
  return {.endpoint = {.address = cluster_.at(node).address(),
                       .port = static_cast<int>(options_.integer("postgres.port")),
                       .user = std::string(dialect.user),
                       .database = std::string(dialect.database),
                       .settings = shape().access.empty() ? "" : kSqlAccessSettings},
          .dialect = &dialect,
          .isolation = sql_isolation(options_, "postgres"),
          .evidence = evidence_named(options_.string("postgres.evidence"))};
}

SqlShape PostgresTarget::shape() const {
  SqlShape out = sql_shape(options_, "postgres");
  out.row_lock = options_.string("postgres.lock") == "row";
  if (auto paths = sql_accesses_named(options_.string("postgres.access")); paths) out.access = std::move(*paths);
  return out;
}

std::size_t PostgresTarget::index_of(const Node& node) const {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.at(i).name() == node.name()) return i;
  }
  ORDEAL_CHECK(false, "a node that is not of this cluster");
}

std::string PostgresTarget::start_text(const Node& node) const {
  return postgres_start_script(options_, node.name(), node.address(),
                               index_of(node) == 0 ? "" : cluster_.at(0).address());
}

Command PostgresTarget::script(std::string text, milliseconds timeout) const {
  Command command(std::move(text));
  command.timeout = timeout;
  command.sudo = options_.boolean("postgres.sudo");
  command.idempotent = true;  // all scripts of postgres_scripts.h are
  return command;
}

Result<void> PostgresTarget::signal(Node& node, const std::string& signal, int wait_s) {
  auto done = run_ok(node, script(postgres_signal_script(options_, node.name(), signal, wait_s)));
  if (!done) return fail(done.error().during("sending SIG" + signal + " to PostgreSQL"));
  return {};
}

Result<void> PostgresTarget::install(Node& node) {
  auto found = node.run(script(postgres_check_script(options_, node.name(), index_of(node) != 0)));
  if (!found) return fail(found.error());
  if (found->exit_code == 0) return {};
  return fail(
      ErrorCode::target,
      fmt::format("{}: PostgreSQL's programs in {} do not run there: {}. Install Debian's package postgresql-15, "
                  "or say where they are with --set postgres.bindir=DIRECTORY, and as whom they run with --set "
                  "postgres.user=NAME",
                  node.name(), options_.string("postgres.bindir"), trimmed(found->err)));
}

Result<void> PostgresTarget::wipe(Node& node) {
  if (auto killed = kill(node); !killed) return killed;
  auto removed = run_ok(node, script(postgres_erase_script(options_, node.name())));
  if (!removed) return fail(removed.error().during("wiping PostgreSQL's data"));
  return {};
}

// Without sudo it runs as the login user, whom a script for root does not know.
std::string PostgresTarget::start_script(const Node& node) {
  return options_.boolean("postgres.sudo") ? start_text(node) : "";
}

Result<void> PostgresTarget::start(Node& node) {
  auto done = run_ok(node, script(start_text(node), milliseconds(180'000)));
  if (!done) return fail(done.error().during("starting PostgreSQL"));
  return {};
}

Result<void> PostgresTarget::stop(Node& node) {
  if (auto resumed = resume(node); !resumed) return resumed;
  if (run_ok(node, script(postgres_stop_script(options_, node.name(), 20)))) return {};
  return kill(node);
}

Result<std::vector<int>> PostgresTarget::pids(Node& node) {
  auto said = run_ok(node, script(postgres_pids_script(options_, node.name()), milliseconds(10'000)));
  if (!said) return fail(said.error());
  std::vector<int> out;
  std::istringstream words(*said);
  for (int pid = 0; words >> pid;) out.push_back(pid);
  return out;
}

std::string PostgresTarget::log_tail(Node& node) {
  auto said = run_ok(node, script("tail -n 3 " + shell_quote(paths(node).log)));
  return said ? std::string(trimmed(*said)) : said.error().message;
}

std::string PostgresTarget::unready(std::size_t node, bool replicated, Deadline deadline) {
  SqlSession session(settings(node));
  std::vector<SqlRows> rows;
  // A commit that waits for nobody else, so that one node can be ready by itself.
  std::vector<SqlStatement> statements = {
      {"SET synchronous_commit TO local"},
      {"CREATE TABLE IF NOT EXISTS ordeal_ready (id bigint PRIMARY KEY, n bigint)"},
      {"INSERT INTO ordeal_ready (id, n) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = ordeal_ready.n + 1"}};
  if (node != 0) {
    statements = {{"SELECT pg_is_in_recovery()::text"},
                  {"SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"}};
  }
  if (const auto problem = session.direct(statements, rows, deadline)) return problem->error->message;
  if (node == 0) return "";
  if (rows[0].rows[0][0] != "true") return "it is no standby any more";
  return replicated && rows[1].rows[0][0] == "0" ? "it does not follow the primary" : "";
}

Result<void> PostgresTarget::await_ready(Deadline deadline) {
  for (std::size_t node = 0; node < cluster_.size(); ++node) {
    if (auto ready = await(node, true, deadline); !ready) return ready;
  }
  return {};
}

Result<void> PostgresTarget::await(std::size_t node, bool replicated, Deadline deadline) {
  auto next_look = steady_clock::now() + milliseconds(1'000);
  int missing = 0;  // how many looks in a row found no process
  while (true) {
    const std::string wrong = unready(node, replicated, deadline.within(milliseconds(2'000)));
    if (wrong.empty()) return {};
    const auto now = steady_clock::now();
    if (now >= next_look) {
      const auto found = pids(cluster_.at(node));
      missing = found && found->empty() ? missing + 1 : 0;
      next_look = now + milliseconds(1'000);
    }
    // A server that is gone does not come back by itself.
    if (now + milliseconds(50) >= deadline || missing >= 2) {
      return fail(ErrorCode::target,
                  fmt::format("{}: PostgreSQL {}: {}; its log says: {}", cluster_.at(node).name(),
                              missing >= 2 ? "has ended" : "does not serve", wrong, log_tail(cluster_.at(node))));
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
}

Result<void> PostgresTarget::prepare(Deadline deadline) {
  SqlSession session(settings(0));
  if (auto done = prepare_sql(session, shape(), data_type_, deadline); !done) return done;
  const auto kinds = split(options_.string("postgres.beside"), ',');
  if (kinds.empty()) return {};
  beside_ = std::make_unique<PostgresBeside>(
      PostgresBeside::Settings{settings(0), kinds, sql_tables(session.dialect(), shape(), data_type_),
                               options_.seconds("postgres.beside-every")});
  return {};
}

void PostgresTarget::log_to(std::function<void(std::string_view)> log) {
  if (log == nullptr) stop_beside();
  log_ = std::move(log);
}

void PostgresTarget::stop_beside() {
  if (beside_ == nullptr) return;
  const std::string told = "beside the workload: " + beside_->summary();
  beside_.reset();
  if (log_ != nullptr) log_(told);
}

// Asked all at once, so that servers that do not answer cost one second together.
Result<std::vector<std::size_t>> PostgresTarget::primaries(Deadline deadline) {
  const Deadline each = deadline.within(milliseconds(1'000));
  std::vector<std::string> answers(cluster_.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      threads.emplace_back([this, i, each, &answers] {
        SqlSession session(settings(i));
        std::vector<SqlRows> rows;
        if (!session.direct({{"SELECT pg_is_in_recovery()::text"}}, rows, each))
          answers[i] = rows.at(0).rows.at(0).at(0).value_or("");
      });
    }
  }
  std::vector<std::size_t> out;
  bool any = false;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    any = any || !answers[i].empty();
    if (answers[i] == "false") out.push_back(i);
  }
  if (!any) return fail(ErrorCode::target, "no server says whether it is the primary");
  return out;
}

Result<Value> PostgresTarget::describe(Node& node) {
  auto said = run_ok(node, script(shell_quote(options_.string("postgres.bindir") + "/postgres") + " --version"));
  if (!said) return fail(said.error());
  Value out = Value::map({{"system", "postgres"},
                          {"program", std::string(trimmed(*said))},
                          {"isolation", sql_isolation(options_, "postgres")}});
  SqlSession session(settings(index_of(node)));
  for (const char* setting : {"fsync", "synchronous_commit", "synchronous_standby_names", "full_page_writes"}) {
    std::vector<SqlRows> rows;
    if (!session.direct({{std::string("SHOW ") + setting}}, rows, Deadline::after(milliseconds(2'000))))
      out.set(setting, rows.at(0).rows.at(0).at(0).value_or(""));
  }
  return out;
}

// What the options say of access paths and of statements beside. Errors: usage.
Result<void> check_options(const Options& options, const std::string& data_type) {
  if (auto known = check_sql_options(options, "postgres", data_type); !known) return known;
  const auto paths = sql_accesses_named(options.string("postgres.access"));
  if (!paths) return fail(paths.error().during("postgres.access"));
  if (!paths->empty() && data_type != "g2" && data_type != "rw-register" && data_type != "list-append") {
    return fail(ErrorCode::usage,
                "postgres.access: tables with access paths are there for the data types g2, "
                "rw-register and list-append, not for " +
                    data_type);
  }
  for (const auto& kind : split(options.string("postgres.beside"), ',')) {
    const auto known = PostgresBeside::kinds();
    if (std::find(known.begin(), known.end(), kind) == known.end())
      return fail(unknown_name("statement of postgres.beside", kind, known));
  }
  if (!options.string("postgres.beside").empty() &&
      sql_tables(postgres_dialect(), sql_shape(options, "postgres"), data_type).empty())
    return fail(ErrorCode::usage, "postgres.beside: the data type " + data_type + " has no tables");
  return {};
}

Result<std::unique_ptr<Target>> make(Cluster& cluster, const Options& options) {
  if (cluster.size() == 0) return fail(ErrorCode::usage, "target postgres needs at least one node");
  const bool own = options.string("postgres.reads") == "own";
  if (own && cluster.size() > 1 && options.string("postgres.isolation") == "serializable") {
    return fail(ErrorCode::usage,
                "postgres.reads=own: a standby has no serializable transactions; say --set "
                "postgres.isolation=repeatable-read");
  }
  if (options.string("postgres.replication") == "synchronous" && cluster.size() == 1) {
    return fail(ErrorCode::usage,
                "postgres.replication=synchronous: a primary alone would wait for ever; say --nodes local:2 or more");
  }
  return std::make_unique<PostgresTarget>(cluster, options);
}

}  // namespace

TargetFactory postgres_target() {
  using Type = OptionSpec::Type;
  TargetFactory factory;
  factory.name = "postgres";
  factory.help = "PostgreSQL of any version: one server, or a primary with standbys that stream from it";
  factory.operations = sql_operations();
  factory.options = sql_options("postgres", "first");
  const std::vector<OptionSpec> own = {
      {"postgres.lock",
       Type::string,
       "advisory",
       "what the lock is: an advisory one of the session, with a fencing token, or that of a row in an open "
       "transaction",
       std::nullopt,
       std::nullopt,
       {"advisory", "row"}},
      {"postgres.replication",
       Type::string,
       "asynchronous",
       "whether a commit on the primary (the first node) waits until a standby (one of the others) has it on its disk",
       std::nullopt,
       std::nullopt,
       {"asynchronous", "synchronous"}},
      {"postgres.reads",
       Type::string,
       "primary",
       "where transactions that only read are asked: of the primary, or of the worker's own node, which may be a "
       "standby",
       std::nullopt,
       std::nullopt,
       {"primary", "own"}},
      {"postgres.access", Type::string, "",
       "by which paths rows of g2, rw-register and list-append are found, each for a part of the keys: btree, hash, "
       "gin, gist, spgist, brin, partial, expression, seq, tid, separated by commas; empty: the planner's choice"},
      {"postgres.beside", Type::string, "",
       "statements that run beside the workload, in turn: vacuum-full, reindex-concurrently, refresh (of a "
       "materialized view), separated by commas"},
      {"postgres.beside-every", Type::duration, 1.0, "from the end of one of them to the beginning of the next", 0.01,
       3600},
      {"postgres.evidence",
       Type::string,
       "plan",
       "what operations tell of how they were carried out: nothing, the isolation level and the scans of their plans, "
       "or also the transaction's number and the server's process, which makes histories longer",
       std::nullopt,
       std::nullopt,
       {"none", "plan", "full"}},
      {"postgres.bindir", Type::string, "/usr/lib/postgresql/15/bin",
       "directory on the node with PostgreSQL's programs; of any version from 10 on"},
      {"postgres.user", Type::string, "postgres", "the node's user that the server runs as; never root"},
      {"postgres.port", Type::integer, 5432, "port for clients", 1, 65535},
      {"postgres.dir", Type::string, "/var/lib/ordeal/postgres", "directory on the node for data and log"},
      {"postgres.max-connections", Type::integer, 200, "how many connections the server takes", 10, 10'000},
      {"postgres.initdb-flags", Type::string, "", "further arguments for initdb, as --wal-segsize=1"},
      {"postgres.flags", Type::string, "", "further arguments for the server, as -c fsync=off"},
      {"postgres.sudo", Type::boolean, true, "control PostgreSQL as root when the login user is somebody else"},
  };
  factory.options.insert(factory.options.end(), own.begin(), own.end());
  factory.make = make;
  factory.check_options = check_options;
  return factory;
}

}  // namespace ordeal
