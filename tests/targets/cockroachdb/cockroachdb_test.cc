// Target cockroachdb without a CockroachDB: its command lines and statements by their text, its scripts with a program
// that only stays (a double, named so), and its way to try a transaction again on a PostgreSQL server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "targets/cockroachdb/cockroachdb_scripts.h"
#include "targets/cockroachdb/cockroachdb_statements.h"
#include "targets/cockroachdb/cockroachdb_target.h"
#include "targets/sql/client.h"
#include "tests/targets/postgres/local_postgres.h"

namespace ordeal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Deadline in(int s) { return Deadline::after_s(s); }

Options options_with(const std::vector<std::pair<const char*, std::string>>& settings) {
  Options out(cockroachdb_target().options);
  for (const auto& [key, value] : settings) {
    const auto done = out.set(key, value, "test");
    EXPECT_TRUE(done) << done.error().message;
  }
  return out;
}

TEST(CockroachArguments, OfAClusterAndOfANodeAlone) {
  const Options options = options_with({{"cockroachdb.flags", "--locality=region=here"}});
  const std::vector<std::string> addresses = {"10.0.0.1", "fd00::2", "10.0.0.3"};
  EXPECT_THAT(
      cockroach_arguments(options, "n2", addresses, 1),
      ElementsAre("start", "--insecure", "--store=path=/var/lib/ordeal/cockroachdb/n2/data",
                  "--listen-addr=[fd00::2]:26258", "--advertise-addr=[fd00::2]:26258", "--sql-addr=[fd00::2]:26257",
                  "--advertise-sql-addr=[fd00::2]:26257", "--http-addr=[fd00::2]:8080", "--max-offset=250ms",
                  "--cache=128MiB", "--max-sql-memory=128MiB", "--log=sinks: {stderr: {filter: WARNING}}",
                  "--join=10.0.0.1:26258,[fd00::2]:26258,10.0.0.3:26258", "--locality=region=here"));
  const auto alone = cockroach_arguments(options, "n1", {"10.0.0.1"}, 0);
  EXPECT_EQ(alone.front(), "start-single-node");
  EXPECT_THAT(alone, Not(Contains(HasSubstr("--join"))));
  const auto many = cockroach_arguments(options, "n1", std::vector<std::string>(7, "10.0.0.1"), 0);
  EXPECT_THAT(many, Contains("--join=10.0.0.1:26258,10.0.0.1:26258,10.0.0.1:26258,10.0.0.1:26258,10.0.0.1:26258"));
}

TEST(CockroachArguments, Environment) {
  EXPECT_THAT(cockroach_environment(options_with({})),
              ElementsAre("COCKROACH_SKIP_ENABLING_DIAGNOSTIC_REPORTING=true", "COCKROACH_SCAN_INTERVAL=200ms",
                          "COCKROACH_SCAN_MAX_IDLE_TIME=5ms", "COCKROACH_MIN_RANGE_MAX_BYTES=1"));
  const auto more = cockroach_environment(
      options_with({{"cockroachdb.linearizable", "true"}, {"cockroachdb.environment", "A=1 B=2"}}));
  for (const char* word : {"COCKROACH_EXPERIMENTAL_LINEARIZABLE=true", "A=1", "B=2"}) EXPECT_THAT(more, Contains(word));
}

std::vector<std::string> texts(const std::vector<CockroachStatement>& all) {
  std::vector<std::string> out;
  for (const auto& one : all) out.push_back(one.text);
  return out;
}
std::vector<std::string> settings(const std::vector<std::pair<const char*, std::string>>& options, std::size_t nodes) {
  return texts(cockroach_settings(options_with(options), nodes));
}

TEST(CockroachStatements, Settings) {
  EXPECT_THAT(settings({}, 5),
              ElementsAre("SET CLUSTER SETTING diagnostics.reporting.enabled = false",
                          "SET CLUSTER SETTING sql.stats.automatic_collection.enabled = false",
                          "SET CLUSTER SETTING timeseries.storage.enabled = false",
                          "SET CLUSTER SETTING kv.range_merge.queue_interval = '50ms'",
                          "ALTER RANGE default CONFIGURE ZONE USING num_replicas = 5",
                          "ALTER RANGE meta CONFIGURE ZONE USING num_replicas = 5",
                          "ALTER RANGE system CONFIGURE ZONE USING num_replicas = 5",
                          "ALTER RANGE liveness CONFIGURE ZONE USING num_replicas = 5",
                          "ALTER DATABASE defaultdb CONFIGURE ZONE USING range_min_bytes = 1024, range_max_bytes = "
                          "1048576, num_replicas = 5"));
  EXPECT_THAT(settings({}, 4), Contains("ALTER RANGE meta CONFIGURE ZONE USING num_replicas = 3"));
  EXPECT_THAT(settings({}, 1), Not(Contains(HasSubstr("num_replicas"))));
  EXPECT_THAT(settings({{"cockroachdb.isolation", "read-committed"}}, 3),
              Contains("SET CLUSTER SETTING sql.txn.read_committed_isolation.enabled = true"));
  EXPECT_THAT(settings({{"cockroachdb.isolation", "repeatable-read"}}, 3),
              Contains("SET CLUSTER SETTING sql.txn.repeatable_read_isolation.enabled = true"));
  const auto licensed = settings({{"cockroachdb.organization", "O'Neill"}, {"cockroachdb.license", "crl-0-x"}}, 3);
  EXPECT_THAT(licensed, Contains("SET CLUSTER SETTING cluster.organization = 'O''Neill'"));
  EXPECT_THAT(licensed, Contains("SET CLUSTER SETTING enterprise.license = 'crl-0-x'"));
}

TEST(CockroachStatements, FurtherSettingsAreSaidLastAndMayNotFail) {
  const auto asked = options_with(
      {{"cockroachdb.settings", "kv.raft_log.disable_synchronization_unsafe=true  jobs.retention_time='5s'"}});
  const auto all = cockroach_settings(asked, 5);
  ASSERT_GE(all.size(), 2U);
  EXPECT_EQ(all[all.size() - 2].text, "SET CLUSTER SETTING kv.raft_log.disable_synchronization_unsafe = true");
  EXPECT_EQ(all.back().text, "SET CLUSTER SETTING jobs.retention_time = '5s'");
  EXPECT_FALSE(all.back().may_fail);
  for (const char* wrong : {"jobs.retention_time", "=5s", "a=", "a;b=1", "true"}) {
    Cluster cluster;
    cluster.nodes.push_back(std::make_unique<testing::ShellNode>("n1", "127.0.0.1"));
    const auto made = cockroachdb_target().make(cluster, options_with({{"cockroachdb.settings", wrong}}));
    ASSERT_FALSE(made) << wrong;
    EXPECT_EQ(made.error().code, ErrorCode::usage);
    EXPECT_THAT(made.error().message, HasSubstr("cockroachdb.settings"));
  }
}

TEST(CockroachStatements, Questions) {
  EXPECT_THAT(
      texts(cockroach_leaseholders("ordeal_registers")),
      ElementsAre("SELECT lease_holder, count(*) FROM [SHOW RANGES FROM TABLE ordeal_registers WITH DETAILS] GROUP "
                  "BY lease_holder ORDER BY count(*) DESC, lease_holder",
                  "SELECT lease_holder, count(*) FROM [SHOW RANGES FROM TABLE ordeal_registers] GROUP BY "
                  "lease_holder ORDER BY count(*) DESC, lease_holder"));
  EXPECT_EQ(cockroach_nodes().text, "SELECT node_id, address FROM crdb_internal.gossip_nodes");
  EXPECT_EQ(cockroach_replication().text, "SELECT min(array_length(replicas, 1)) FROM crdb_internal.ranges_no_leases");
}

// What the client half says that PostgreSQL does not understand; all else is the same text for both.
TEST(CockroachStatements, OfTheClient) {
  const SqlDialect& dialect = cockroachdb_dialect();
  EXPECT_EQ(dialect.upsert("t"), "UPSERT INTO t (k, v) VALUES ($1, $2)");
  EXPECT_EQ(dialect.timestamp, "(cluster_logical_timestamp() * 10000000000)::decimal(38, 0)");
  EXPECT_EQ(dialect.sequence, "unique_rowid()");
  EXPECT_EQ(sql_tables(dialect, {}, "outbox").front(), "ordeal_change_numbers");
  EXPECT_TRUE(sql_tables(dialect, {}, "kafka").empty());
}

// The double: does nothing, and stays; the second `init` fails with the words of a cluster that is initialized.
constexpr const char* kDouble = R"sh(#!/bin/sh
here=${0%/n1/bin/*}
[ "$1" = version ] && exit 0
if [ "$1" = init ]; then
  [ -e "$here/inited" ] && { echo 'ERROR: cluster has already been initialized' >&2; exit 1; }
  : >"$here/inited"
  exit 0
fi
while :; do sleep 0.2; done
)sh";

class CockroachScripts : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-cockroach-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    clean_up_ = std::make_unique<testing::AtEnd>("for p in $(grep -lzsxF -e--store=path=" + directory_ +
                                                 "/n1/data /proc/[0-9]*/cmdline | cut -d/ -f3); do kill -KILL $p; "
                                                 "done; rm -rf " +
                                                 directory_);
    std::ofstream(directory_ + "/double") << kDouble;
    options_ = options_with({{"cockroachdb.dir", directory_},
                             {"cockroachdb.binary", directory_ + "/double"},
                             {"cockroachdb.sudo", "false"}});
    for (const char* name : {"n1", "n2", "n3"})
      cluster_.nodes.push_back(std::make_unique<testing::ShellNode>(name, "127.0.0.1"));
    auto made = cockroachdb_target().make(cluster_, options_);
    ASSERT_TRUE(made) << made.error().message;
    target_ = std::move(*made);
  }
  Node& node() { return cluster_.at(0); }
  std::string directory_;
  std::unique_ptr<testing::AtEnd> clean_up_;
  Options options_;
  Cluster cluster_;
  std::unique_ptr<Target> target_;
};

TEST_F(CockroachScripts, InstallStartKillAndWipe) {
  Target::Processes* processes = target_->processes();
  const auto installed = target_->installation()->install(node());
  ASSERT_TRUE(installed) << installed.error().message;
  for (int i = 0; i < 2; ++i) {
    const auto started = target_->start(node());
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_EQ(processes->pids(node())->size(), 1U);
  }
  for (int i = 0; i < 2; ++i) {
    const auto done = run_ok(node(), cockroach_init_script(options_, "n1", "127.0.0.1"));
    EXPECT_TRUE(done) << done.error().message;
  }
  // It never serves: said so in time.
  const auto ready = target_->await_node(node(), Deadline::after(std::chrono::milliseconds(300)));
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().message, HasSubstr("n1: CockroachDB does not serve"));
  ASSERT_TRUE(processes->kill(node()));
  EXPECT_TRUE(processes->pids(node())->empty());
  ASSERT_TRUE(target_->installation()->wipe(node()));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/n1/data"));
}

TEST_F(CockroachScripts, WithoutAProgramItSaysWhoHasToGiveOne) {
  if (std::system("command -v cockroach >/dev/null") == 0) GTEST_SKIP() << "SKIPPED: there is a cockroach here";
  const Options options = options_with({{"cockroachdb.dir", directory_}, {"cockroachdb.sudo", "false"}});
  auto made = cockroachdb_target().make(cluster_, options);
  ASSERT_TRUE(made);
  const auto installed = (*made)->installation()->install(node());
  ASSERT_FALSE(installed);
  EXPECT_THAT(installed.error().message, HasSubstr("cockroachdb.binary"));
}

// The savepoint protocol, which PostgreSQL knows but for the meaning of RELEASE. A function refuses as often as it is
// told to; it counts by a sequence, which no rollback sets back.
class CockroachRetries : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::LocalPostgres::installed())
      GTEST_SKIP() << "SKIPPED: there is no " << testing::kPostgresBin << "/postgres (package postgresql-15)";
    server_ = std::make_unique<testing::LocalPostgres>();
    server_->start("set");
    SqlSession session({{"127.0.0.1", server_->port(), "postgres", "postgres"}, &postgres_dialect()});
    std::vector<SqlRows> ignored;
    for (const char* text :
         {"CREATE SEQUENCE attempts",
          "CREATE FUNCTION refuse(times bigint, code text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN IF "
          "nextval('attempts') <= times THEN RAISE EXCEPTION 'restart transaction: refused' USING ERRCODE = code; END "
          "IF; RETURN 1; END $$"}) {
      const auto problem = session.direct({{text}}, ignored, in(10));
      ASSERT_FALSE(problem) << problem->error->message;
    }
  }
  // Inserts an element, unless it is refused; how often that was tried is in `calls_`.
  Completion insert(int retries, int times, const char* code) {
    SqlDialect dialect = postgres_dialect();
    dialect.restart_savepoint = true;
    SqlSession session({{"127.0.0.1", server_->port(), "postgres", "postgres"}, &dialect, "serializable", retries});
    return session.change(
        [&](SqlTransaction& transaction) {
          ++calls_;
          transaction.query("INSERT INTO ordeal_elements (k, element) VALUES ('', '1')");
          transaction.query("SELECT refuse($1::bigint, $2)", {std::to_string(times), code});
          return Completion::ok();
        },
        in(20));
  }
  std::size_t elements() {
    const auto done = server_->client()->invoke({"read", std::nullopt, {}}, in(10));
    EXPECT_EQ(done.type, EventType::ok);
    return done.value->items().size();
  }
  std::unique_ptr<testing::LocalPostgres> server_;
  int calls_ = 0;
};

TEST_F(CockroachRetries, UntilItSucceedsAndOnce) {
  EXPECT_EQ(insert(5, 3, "40001").type, EventType::ok);
  EXPECT_EQ(calls_, 4);
  EXPECT_EQ(elements(), 1U);
}

TEST_F(CockroachRetries, NoMoreOftenThanAllowedAndNoneByDefault) {
  EXPECT_EQ(insert(2, 9, "40001").type, EventType::fail);
  EXPECT_EQ(calls_, 3);
  EXPECT_EQ(insert(0, 9, "40001").type, EventType::fail);
  EXPECT_EQ(calls_, 4);
  EXPECT_EQ(elements(), 0U);
}

TEST_F(CockroachRetries, NeverAfterAnythingElse) {
  EXPECT_EQ(insert(5, 9, "40003").type, EventType::info);
  EXPECT_EQ(insert(5, 9, "57014").type, EventType::fail);
  EXPECT_EQ(calls_, 2);
}

}  // namespace
}  // namespace ordeal
