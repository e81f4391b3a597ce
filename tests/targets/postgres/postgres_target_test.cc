// Target postgres on a real server of this machine.

#include "targets/postgres/postgres_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <thread>

#include "targets/sql/client.h"
#include "tests/targets/postgres/local_postgres.h"

namespace ordeal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Deadline in(int s) { return Deadline::after_s(s); }
Value list(Value::List items) { return Value(std::move(items)); }

class PostgresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::LocalPostgres::installed())
      GTEST_SKIP() << "SKIPPED: there is no " << testing::kPostgresBin << "/postgres (package postgresql-15)";
    server_ = std::make_unique<testing::LocalPostgres>();
  }
  Completion ask(Client& client, const char* f, const Value& value, std::optional<Value> key = std::nullopt) {
    return client.invoke({f, std::move(key), value}, in(10));
  }
  // What an operation on a client of its own observed.
  Value seen(const char* f, const Value& value = {}, std::optional<Value> key = std::nullopt) {
    const auto one = server_->client();
    const Completion done = ask(*one, f, value, std::move(key));
    EXPECT_EQ(done.type, EventType::ok) << f << ": " << (done.error ? done.error->message : "");
    return done.value.value_or(Value("nothing"));
  }
  EventType type(const char* f, const Value& value, std::optional<Value> key = std::nullopt) {
    const auto one = server_->client();
    return ask(*one, f, value, std::move(key)).type;
  }
  // The same server with the tables of another data type.
  void use(const std::string& data_type) {
    server_->target().client_setup()->use(data_type);
    const auto prepared = server_->target().client_setup()->prepare(in(30));
    ASSERT_TRUE(prepared) << prepared.error().message;
  }

  std::unique_ptr<testing::LocalPostgres> server_;
};

TEST_F(PostgresTest, DoesTheOperationsOfEachDataType) {
  server_->start("register");
  const Value key("k");
  EXPECT_EQ(seen("read", {}, key), Value());
  EXPECT_EQ(type("cas", list({Value(), 1}), key), EventType::ok);
  EXPECT_EQ(type("cas", list({Value(), 1}), key), EventType::fail);
  EXPECT_EQ(type("cas", list({2, 3}), key), EventType::fail);
  EXPECT_EQ(type("cas", list({1, "it's \"two\""}), key), EventType::ok);
  EXPECT_EQ(seen("read", {}, key), Value("it's \"two\""));
  EXPECT_EQ(type("write", 7, key), EventType::ok);
  EXPECT_EQ(seen("read", {}, key), Value(7));
  EXPECT_EQ(type("cas", list({7, Value()}), key), EventType::ok);
  EXPECT_EQ(type("cas", list({Value(), Value()}), key), EventType::ok);
  EXPECT_EQ(type("write", Value(), key), EventType::ok);
  EXPECT_EQ(seen("read", {}, key), Value());
  EXPECT_EQ(type("enqueue", 1, key), EventType::fail) << "not of this data type";

  use("versioned");
  EXPECT_EQ(seen("read", {}, key), list({0, Value()}));
  EXPECT_EQ(seen("cas-version", list({0, "a"}), key), list({1, "a"}));
  EXPECT_EQ(type("cas-version", list({0, "b"}), key), EventType::fail);
  EXPECT_EQ(seen("cas-version", list({1, "b"}), key), list({2, "b"}));
  EXPECT_EQ(seen("read", {}, key), list({2, "b"}));

  use("counter");
  EXPECT_EQ(seen("read"), Value(0));
  EXPECT_EQ(type("add", 5), EventType::ok);
  EXPECT_EQ(type("add", -2), EventType::ok);
  EXPECT_EQ(seen("read"), Value(3));

  use("unique-ids");
  EXPECT_FALSE(seen("generate") == seen("generate"));

  use("set");
  EXPECT_EQ(seen("read"), list({}));
  EXPECT_EQ(type("add", 1), EventType::ok);
  EXPECT_EQ(type("add", "x"), EventType::ok);
  EXPECT_EQ(seen("read").items().size(), 2U);

  use("queue");
  EXPECT_EQ(seen("dequeue"), Value());
  for (const int i : {1, 2, 3, 4}) EXPECT_EQ(type("enqueue", i), EventType::ok);
  EXPECT_EQ(seen("dequeue"), Value(1));
  EXPECT_EQ(seen("drain"), list({2, 3, 4}));
  EXPECT_EQ(seen("drain"), list({}));
}

TEST_F(PostgresTest, DoesTransactions) {
  server_->start("list-append");
  const auto txn = [](const char* f, const Value& key, const Value& value) { return Value::list({f, key, value}); };
  EXPECT_EQ(seen("txn", list({txn("r", 1, {}), txn("append", 1, 10), txn("r", 1, {}), txn("append", 1, 11)})),
            list({txn("r", 1, {}), txn("append", 1, 10), txn("r", 1, list({10})), txn("append", 1, 11)}));
  EXPECT_EQ(seen("txn", list({txn("r", 1, {})})), list({txn("r", 1, list({10, 11}))}));
  EXPECT_EQ(type("txn", list({txn("w", 1, 2)})), EventType::fail);
  use("rw-register");
  EXPECT_EQ(seen("txn", list({txn("r", 1, {}), txn("w", 1, 3), txn("r", 1, {})})),
            list({txn("r", 1, {}), txn("w", 1, 3), txn("r", 1, 3)}));

  use("bank");
  const auto transfer = [](int from, int to, int amount) {
    return Value::map({{"from", from}, {"to", to}, {"amount", amount}});
  };
  EXPECT_EQ(type("transfer", transfer(0, 1, 4)), EventType::ok);
  EXPECT_EQ(type("transfer", transfer(0, 1, 7)), EventType::fail);
  EXPECT_EQ(type("transfer", transfer(0, 8, 1)), EventType::fail);
  const Value balances = seen("read");
  EXPECT_EQ(balances.entries().size(), 8U);
  EXPECT_EQ(*balances.find(0), Value(6));
  EXPECT_EQ(*balances.find(1), Value(14));

  use("accounts");
  const auto money = [](int account, int amount) { return Value::map({{"account", account}, {"amount", amount}}); };
  EXPECT_EQ(type("withdraw", money(0, 1), Value(1)), EventType::fail);
  EXPECT_EQ(type("deposit", money(0, 5), Value(1)), EventType::ok);
  EXPECT_EQ(type("withdraw", money(1, 4), Value(1)), EventType::ok);
  EXPECT_EQ(seen("read", {}, Value(1)), list({5, -4}));

  use("g2");
  EXPECT_EQ(type("insert", list({1, Value()}), Value(1)), EventType::ok);
  EXPECT_EQ(type("insert", list({Value(), 2}), Value(1)), EventType::fail);
  EXPECT_EQ(type("insert", list({Value(), 3}), Value(2)), EventType::ok);

  use("monotonic");
  const Value first = seen("stamp");
  const Value second = seen("stamp");
  EXPECT_EQ(*first.find("val"), Value(0));
  EXPECT_EQ(*second.find("val"), Value(1));
  EXPECT_TRUE(*first.find("sts") < *second.find("sts"));
  EXPECT_EQ(seen("read"), list({first, second}));

  use("sequential");
  EXPECT_EQ(seen("read-chain", 3), list({3, list(Value::List(5))}));
  EXPECT_EQ(type("write-chain", 3), EventType::ok);
  EXPECT_EQ(seen("read-chain", 3), list({3, list({"3_4", "3_3", "3_2", "3_1", "3_0"})}));
}

TEST_F(PostgresTest, DoesThePatternsOfApplications) {
  server_->start("outbox");
  const auto change = [](int id, int key, bool rollback) {
    return Value::map({{"id", id}, {"key", key}, {"rollback", rollback}});
  };
  EXPECT_EQ(type("change", change(1, 7, false)), EventType::ok);
  EXPECT_EQ(type("change", change(2, 7, true)), EventType::fail);
  EXPECT_EQ(type("change", change(3, 7, false)), EventType::ok);
  EXPECT_EQ(seen("read"), list({list({7, 1}), list({7, 3})}));
  EXPECT_EQ(seen("messages"), list({list({7, 1}), list({7, 3})}));
  EXPECT_EQ(type("change", change(4, 6, false)), EventType::ok);
  EXPECT_EQ(seen("messages"), list({list({7, 1}), list({7, 3}), list({6, 4})}));

  use("idempotency");
  const Value answer = seen("apply", 5);
  EXPECT_EQ(seen("apply", 5), answer);
  EXPECT_FALSE(seen("apply", 6) == answer);
  EXPECT_EQ(seen("read").items().size(), 2U);

  use("idempotency-keys");
  const auto keyed = [](int id, int body) { return Value::map({{"id", id}, {"body", body}}); };
  EXPECT_EQ(seen("apply", keyed(8, 0)), seen("apply", keyed(8, 0)));
  const auto one = server_->client();
  EXPECT_EQ(ask(*one, "apply", keyed(8, 1)).error->kind, "conflict");

  use("saga");
  const auto saga = [](int id, int amount) {
    return Value::map({{"id", id}, {"from", 1}, {"to", 2}, {"amount", amount}});
  };
  EXPECT_EQ(type("saga", saga(1, 15)), EventType::ok);
  EXPECT_EQ(type("saga", saga(2, 6)), EventType::fail);
  const Value ledger = seen("read");
  EXPECT_EQ(*ledger.find("balances")->find(1), Value(5));
  EXPECT_EQ(*ledger.find("balances")->find(2), Value(35));
  EXPECT_EQ(*ledger.find("events"), list({list({1, 1, -15}), list({1, 2, 15})}));
}

TEST_F(PostgresTest, LocksEndWithTheirConnection) {
  for (const std::string lock : {"advisory", "row"}) {
    SCOPED_TRACE(lock);
    server_ = nullptr;
    server_ = std::make_unique<testing::LocalPostgres>();
    server_->set("postgres.lock", lock);
    server_->start("lock");
    auto holder = server_->client();
    const auto other = server_->client();
    const Completion got = ask(*holder, "acquire", {});
    ASSERT_EQ(got.type, EventType::ok);
    EXPECT_EQ(ask(*holder, "acquire", {}).type, EventType::fail);
    EXPECT_EQ(ask(*other, "acquire", {}).type, EventType::fail);
    EXPECT_EQ(ask(*other, "release", {}).type, EventType::fail);
    EXPECT_EQ(ask(*holder, "release", {}).type, EventType::ok);
    EXPECT_EQ(ask(*holder, "acquire", {}).type, EventType::ok);
    holder->close();
    Completion next;
    for (int i = 0; i < 100 && next.type != EventType::ok; ++i) {
      next = ask(*other, "acquire", {});
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ASSERT_EQ(next.type, EventType::ok) << "the server gave it back when the connection ended";
    EXPECT_EQ(got.value.has_value(), lock == "advisory");
    if (got.value) {
      EXPECT_TRUE(*got.value < *next.value) << "the token grows";
    }
    ASSERT_TRUE(server_->target().processes()->kill(server_->node()));
    EXPECT_EQ(ask(*other, "release", {}).type, EventType::info);
  }
}

TEST_F(PostgresTest, KeepsItsDataWhenKilledAndLosesItWhenWiped) {
  server_->start("register");
  Target& target = server_->target();
  const auto one = server_->client();
  const Value key("k");
  ASSERT_EQ(ask(*one, "write", 1, key).type, EventType::ok);
  EXPECT_GT(target.processes()->pids(server_->node())->size(), 2U);
  ASSERT_TRUE(target.processes()->kill(server_->node()));
  EXPECT_TRUE(target.processes()->pids(server_->node())->empty());
  // The connection broke before COMMIT was sent: certain. Then nobody is there.
  EXPECT_EQ(ask(*one, "write", 2, key).type, EventType::fail);
  const Completion refused = ask(*one, "write", 3, key);
  EXPECT_EQ(refused.type, EventType::fail);
  EXPECT_TRUE(refused.found_nobody());
  const std::string script = target.processes()->start_script(server_->node());
  EXPECT_NE(script, "");
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(run_ok(server_->node(), script)) << "also by the node itself, and twice";
  ASSERT_TRUE(target.await_ready(in(60)));
  EXPECT_EQ(seen("read", {}, key), Value(1));
  ASSERT_TRUE(target.stop(server_->node()));
  EXPECT_TRUE(target.processes()->pids(server_->node())->empty());
  ASSERT_TRUE(target.installation()->wipe(server_->node()));
  server_->start("register");
  EXPECT_EQ(seen("read", {}, key), Value());
}

TEST_F(PostgresTest, AnAnswerThatDoesNotComeInTime) {
  server_->start("register");
  const auto one = server_->client();
  ASSERT_EQ(ask(*one, "write", 1, Value("k")).type, EventType::ok);
  ASSERT_TRUE(server_->target().processes()->pause(server_->node()));
  const auto before = std::chrono::steady_clock::now();
  const Completion write =
      one->invoke({"write", Value("k"), Value(2)}, Deadline::after(std::chrono::milliseconds(200)));
  EXPECT_EQ(write.type, EventType::fail) << "COMMIT was not sent";
  EXPECT_EQ(write.error->kind, "timeout");
  EXPECT_EQ(one->invoke({"read", Value("k"), Value()}, Deadline::after(std::chrono::milliseconds(200))).type,
            EventType::fail);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
  ASSERT_TRUE(server_->target().processes()->resume(server_->node()));
  EXPECT_EQ(ask(*one, "read", {}, Value("k")).value, Value(1));
}

TEST_F(PostgresTest, RefusesALevelThatTheServerDoesNotGive) {
  server_->set("postgres.isolation", "read-uncommitted");
  server_->start("register");
  SqlSession::Settings settings{{"127.0.0.1", server_->port(), "postgres", "postgres"}, &postgres_dialect()};
  settings.isolation = "serializable\tREAD WRITE";  // the server takes it and calls it serializable
  SqlSession session(settings);
  const Completion done = session.change(
      [](SqlTransaction& in) {
        in.query("SELECT 1");
        return Completion::ok();
      },
      in(10));
  ASSERT_EQ(done.type, EventType::fail);
  EXPECT_EQ(done.error->kind, "isolation-level");
}

TEST_F(PostgresTest, StandbysFollowThePrimaryAndAreRead) {
  server_ = std::make_unique<testing::LocalPostgres>(2);
  server_->set("postgres.replication", "synchronous");
  server_->set("postgres.reads", "own");
  server_->set("postgres.isolation", "repeatable-read");
  server_->start("register");
  Target& target = server_->target();
  const auto leads = target.roles()->primaries(in(5));
  ASSERT_TRUE(leads) << leads.error().message;
  EXPECT_EQ(*leads, std::vector<std::size_t>{0});
  const auto here = server_->client(0);
  const auto there = server_->client(1);
  ASSERT_EQ(ask(*there, "write", 1, Value("k")).type, EventType::ok) << "the primary is asked";
  EXPECT_EQ(ask(*here, "read", {}, Value("k")).value, Value(1));
  Value seen_there;
  for (int i = 0; i < 500 && seen_there.is_nil(); ++i) seen_there = *ask(*there, "read", {}, Value("k")).value;
  EXPECT_EQ(seen_there, Value(1));
  // While the standby is gone, a commit waits for it: nobody knows.
  ASSERT_TRUE(target.processes()->kill(server_->node(1)));
  EXPECT_TRUE(target.await_node(server_->node(0), in(30))) << "the primary is ready by itself";
  const Completion waits = here->invoke({"write", Value("k"), Value(2)}, Deadline::after(std::chrono::seconds(1)));
  EXPECT_EQ(waits.type, EventType::info);
  EXPECT_EQ(ask(*there, "read", {}, Value("k")).type, EventType::fail);
  ASSERT_TRUE(target.start(server_->node(1)));
  EXPECT_TRUE(target.await_ready(in(60)));
}

TEST_F(PostgresTest, RefusesWhatCannotBe) {
  const auto made = [](const char* key, const char* value, std::size_t nodes) {
    Options options(postgres_target().options);
    EXPECT_TRUE(options.set(key, value, "test"));
    Cluster cluster;
    for (std::size_t i = 0; i < nodes; ++i)
      cluster.nodes.push_back(std::make_unique<testing::ShellNode>("n" + std::to_string(i), "127.0.0.1"));
    return postgres_target().make(cluster, options).has_value();
  };
  EXPECT_FALSE(made("postgres.replication", "synchronous", 1));
  EXPECT_FALSE(made("postgres.reads", "own", 2)) << "serializable on a standby";
  EXPECT_TRUE(made("postgres.reads", "own", 1));
}

TEST_F(PostgresTest, ALostTableIsMadeAnewSoThatReadsShowIt) {
  server_->start("set");
  const auto one = server_->client();
  ASSERT_EQ(ask(*one, "add", 1).type, EventType::ok);
  SqlSession session({{"127.0.0.1", server_->port(), "postgres", "postgres"}, &postgres_dialect()});
  std::vector<SqlRows> ignored;
  ASSERT_FALSE(session.direct({{"DROP TABLE ordeal_elements"}}, ignored, in(10)));
  EXPECT_EQ(ask(*one, "read", {}).type, EventType::fail);
  EXPECT_EQ(ask(*one, "read", {}).value, Value::list());
}

// Two statements and COMMIT: it waits twice, and every other transaction of the client.
TEST_F(PostgresTest, SomeTransactionsStayOpen) {
  server_->set("txn.slow-share", "0.5");
  server_->set("txn.slow", "300ms");
  server_->start("rw-register");
  const auto one = server_->client();
  const Value txn = list({list({"r", 1, Value()}), list({"w", 1, 3})});
  int slow = 0;
  for (int i = 0; i < 4; ++i) {
    const auto before = std::chrono::steady_clock::now();
    ASSERT_EQ(ask(*one, "txn", txn).type, EventType::ok);
    slow += std::chrono::steady_clock::now() - before >= std::chrono::milliseconds(600) ? 1 : 0;
  }
  EXPECT_GE(slow, 2);
}

std::string evidence_of(const Completion& done) {
  return done.error && done.error->kind == "evidence" ? done.error->message : "";
}

TEST_F(PostgresTest, OperationsTellHowTheyWereCarriedOut) {
  server_->set("postgres.evidence", "full");
  server_->start("rw-register");
  const auto one = server_->client();
  const std::string wrote = evidence_of(ask(*one, "txn", list({list({"r", 1, Value()}), list({"w", 1, 3})})));
  EXPECT_THAT(wrote, HasSubstr("serializable; "));
  EXPECT_THAT(wrote, HasSubstr("Scan using ordeal_registers_pkey on ordeal_registers; xid "));
  EXPECT_THAT(wrote, HasSubstr("; backend "));
  EXPECT_THAT(evidence_of(ask(*one, "txn", list({list({"r", 1, Value()})}))), Not(HasSubstr("xid")));
}

// Each by its own index, or none, as the plan of the server says; rows that are not there and rows that are.
TEST_F(PostgresTest, FindsRowsByEachAccessPath) {
  std::string paths;
  for (const SqlAccess& access : sql_accesses()) paths += (paths.empty() ? "" : ",") + std::string(access.name);
  server_->set("postgres.access", paths);
  server_->start("g2");
  const auto chosen = *sql_accesses_named(paths);
  std::set<std::string_view> taken;
  const auto one = server_->client();
  for (int key = 0; taken.size() < chosen.size() && key < 1'000; ++key) {
    const SqlAccess& access = *sql_access_of(chosen, std::to_string(key));
    if (!taken.insert(access.name).second) continue;
    SCOPED_TRACE(access.name);
    const Completion first = ask(*one, "insert", list({1 + 2 * key, Value()}), Value(key));
    ASSERT_EQ(first.type, EventType::ok) << first.error->message;
    const std::string name(access.name);
    const std::string plan = name == "tid"   ? "Tid Range Scan on ordeal_g2_b_tid"
                             : name == "seq" ? "Seq Scan on ordeal_g2_b_seq"
                                             : "ordeal_g2_b_" + name + "_by";
    EXPECT_THAT(evidence_of(first), HasSubstr(plan));
    EXPECT_EQ(ask(*one, "insert", list({Value(), 2 + 2 * key}), Value(key)).type, EventType::fail) << "it is there";
  }
  EXPECT_EQ(taken.size(), chosen.size());
  use("rw-register");
  for (int key = 0; key < 25; ++key) {
    EXPECT_EQ(seen("txn", list({list({"r", key, Value()}), list({"w", key, 3}), list({"r", key, Value()})})),
              list({list({"r", key, Value()}), list({"w", key, 3}), list({"r", key, 3})}));
  }
}

TEST_F(PostgresTest, RunsStatementsBesideTheWorkload) {
  server_->set("postgres.beside", "vacuum-full,reindex-concurrently,refresh");
  server_->set("postgres.beside-every", "10ms");
  server_->start("set");
  std::string told;
  server_->target().client_setup()->log_to([&](std::string_view line) { told = line; });
  const auto one = server_->client();
  const auto views = [&] {
    SqlSession session(
        {.endpoint = {"127.0.0.1", server_->port(), "postgres", "postgres"}, .dialect = &postgres_dialect()});
    std::vector<SqlRows> rows;
    const auto problem = session.direct({{"SELECT count(*) FROM ordeal_elements_view"}}, rows, in(5));
    return !problem && !rows.empty();
  };
  for (int i = 0; !views() && i < 400; ++i) {
    ask(*one, "add", i);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(views());
  server_->target().client_setup()->log_to(nullptr);
  EXPECT_THAT(told, AllOf(HasSubstr("beside the workload: vacuum-full "), HasSubstr(", reindex-concurrently "),
                          HasSubstr(", refresh ")));
  EXPECT_EQ(ask(*one, "read", {}).type, EventType::ok);
}

TEST(PostgresTarget, RefusesAccessPathsAndStatementsThatItDoesNotKnow) {
  const auto refused = [](const char* key, const char* value, const char* data_type) {
    Options options(postgres_target().options);
    EXPECT_TRUE(options.set(key, value, "test"));
    const auto done = postgres_target().check_options(options, data_type);
    EXPECT_TRUE(done || done.error().code == ErrorCode::usage);
    return done ? std::string() : done.error().message;
  };
  EXPECT_EQ(refused("postgres.access", "gist,tid", "g2"), "");
  EXPECT_THAT(refused("postgres.access", "gits", "g2"), HasSubstr("gist"));
  EXPECT_THAT(refused("postgres.access", "gist", "bank"), HasSubstr("not for bank"));
  EXPECT_EQ(refused("postgres.beside", "refresh", "bank"), "");
  EXPECT_THAT(refused("postgres.beside", "vacuum", "bank"), HasSubstr("vacuum-full"));
  EXPECT_THAT(refused("txn.slow-share", "0.5", "lock"), HasSubstr("txn.slow-share"));
}

TEST_F(PostgresTest, TakesNothingFromTheEnvironment) {
  server_->start("register");
  ASSERT_EQ(setenv("PGOPTIONS", "-c default_transaction_read_only=on", 1), 0);
  ASSERT_EQ(setenv("PGTARGETSESSIONATTRS", "standby", 1), 0);
  EXPECT_EQ(type("write", 1, Value("k")), EventType::ok);
  unsetenv("PGOPTIONS");
  unsetenv("PGTARGETSESSIONATTRS");
}

TEST_F(PostgresTest, SaysWhatIsMissing) {
  server_->set("postgres.bindir", "/nonexistent");
  const auto installed = server_->target().installation()->install(server_->node());
  ASSERT_FALSE(installed);
  EXPECT_NE(installed.error().message.find("postgres.bindir"), std::string::npos) << installed.error().message;
}

TEST(PostgresTarget, RefusesADataTypeWithoutTables) {
  const Options options(postgres_target().options);
  EXPECT_TRUE(postgres_target().check_options(options, "bank"));
  const auto refused = postgres_target().check_options(options, "kafka");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
}

}  // namespace
}  // namespace ordeal
