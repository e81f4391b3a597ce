// The ledger on a real PostgreSQL: right it is valid under many clients at once, and each way in which it is made wrong
// (ledger.h) is found, under the right name.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>

#include "base/rng.h"
#include "checkers/history/history.h"
#include "checkers/workload/workload_checkers.h"
#include "targets/postgres/postgres_target.h"
#include "targets/sql/client.h"
#include "targets/sql/ledger.h"
#include "tests/targets/postgres/local_postgres.h"
#include "tests/targets/postgres/message_proxy.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What clients see, in the order in which they see it.
class Recorder {
 public:
  Completion ask(SqlClient& client, ProcessId process, const Operation& operation, Deadline deadline) {
    note(process, EventType::invoke, operation, nullptr);
    Completion done = client.invoke(operation, deadline);
    note(process, done.type, operation, &done);
    return done;
  }
  CheckResult judged() {
    CheckOptions options;
    options.settings = Options(find_workload_checker("ledger")->options);
    EXPECT_TRUE(options.settings.set("ledger.settle", "0", "test"));
    return make_workload_checker(*find_workload_checker("ledger"))->check(builder_.finish(), options);
  }

 private:
  void note(ProcessId process, EventType type, const Operation& operation, const Completion* done) {
    const std::lock_guard lock(mutex_);
    Event event;
    event.process = process;
    event.type = type;
    event.f = *builder_.function(operation.f);
    event.key = builder_.values().intern(*operation.key);
    event.value = builder_.values().intern(done != nullptr && done->value ? *done->value : operation.value);
    event.time = (steady_clock::now() - start_).count();
    if (done != nullptr && done->error) event.error = *done->error;
    EXPECT_TRUE(builder_.add(event));
  }

  std::mutex mutex_;  // guards the builder
  HistoryBuilder builder_;
  const steady_clock::time_point start_ = steady_clock::now();
};

// One server for all of them.
class SqlLedger : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!testing::LocalPostgres::installed()) return;
    server_ = std::make_unique<testing::LocalPostgres>();
    server_->start("ledger");
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (server_ == nullptr)
      GTEST_SKIP() << "SKIPPED: there is no " << testing::kPostgresBin << "/postgres (package postgresql-15)";
  }

  [[nodiscard]] static SqlSession::Settings settings(const std::string& isolation, int port = server_->port()) {
    return {.endpoint = {.address = "127.0.0.1", .port = port, .user = "postgres", .database = "postgres"},
            .dialect = &postgres_dialect(),
            .isolation = isolation};
  }
  static void run(const std::string& text) {
    SqlSession session(settings("serializable"));
    std::vector<SqlRows> ignored;
    const auto problem = session.direct({{text}}, ignored, Deadline::after_s(60));
    ASSERT_FALSE(problem) << text << ": " << problem->error->message;
  }
  // Empty tables, as that break has them.
  static SqlShape tables(const std::string& name) {
    SqlShape shape;
    shape.ledger_break = ledger_break_named(name);
    for (const auto& table : sql_tables(postgres_dialect(), {}, "ledger"))
      run("DROP TABLE IF EXISTS " + table + " CASCADE");
    SqlSession session(settings("serializable"));
    EXPECT_TRUE(prepare_sql(session, shape, "ledger", Deadline::after_s(60)));
    return shape;
  }
  static Operation append(const char* f, std::int64_t account, std::int64_t id, std::int64_t amount) {
    return {f, Value(account), Value::map({{"id", id}, {"amount", amount}})};
  }
  static Operation look(const char* f, std::int64_t account) { return {f, Value(account), {}}; }

  static constexpr std::int64_t kAccounts = 4;
  // Looks at all accounts; what conflicts is asked for again.
  static void look_at_all(Recorder& recorder, SqlClient& client) {
    for (std::int64_t account = 0; account < kAccounts; ++account) {
      for (const char* f : {"events", "balance", "model", "replay"})
        EXPECT_EQ(recorder.ask(client, 1000, look(f, account), Deadline::after_s(60)).type, EventType::ok) << f;
    }
  }
  // Many clients at once on each account in turn, 90 operations a client.
  static CheckResult played(const std::string& name, const std::string& isolation, std::uint64_t seed) {
    const SqlShape shape = tables(name);
    // Some transactions are slow, so that others come in between also where clients take turns on a busy machine.
    Options options(postgres_target().options);
    EXPECT_TRUE(options.set("txn.slow-share", "0.2", "test"));
    EXPECT_TRUE(options.set("txn.slow", "2ms", "test"));
    Recorder recorder;
    {
      std::atomic<std::int64_t> ids = 0;
      std::vector<std::jthread> threads;
      for (int worker = 0; worker < 8; ++worker) {
        threads.emplace_back([&, worker] {
          Rng dice = Rng(seed).split(static_cast<std::uint64_t>(worker));
          SqlClient client(settings(isolation), shape, "ledger", std::nullopt,
                           SlowTransactions(options, static_cast<std::uint64_t>(worker)));
          ProcessId process = worker;
          for (std::int64_t i = 0; i < 90; ++i) {
            const std::int64_t account = i * kAccounts / 90;
            static constexpr const char* kReads[] = {"balance", "model", "model", "replay", "events"};
            const bool deposit = dice.chance(0.35);
            const Operation asked = dice.chance(0.4)
                                        ? look(kReads[dice.between(0, 4)], account)
                                        : append(deposit ? "deposit" : "withdraw", account, ids++, dice.between(1, 10));
            if (recorder.ask(client, process, asked, Deadline::after_s(60)).type == EventType::info) process += 8;
          }
        });
      }
    }
    SqlClient last(settings(isolation), shape, "ledger");
    look_at_all(recorder, last);
    return recorder.judged();
  }
  static std::string told(const CheckResult& result) {
    std::string out = std::string(ordeal::name(result.verdict)) + " " + result.reason;
    for (const Anomaly& anomaly : result.anomalies) out += "\n" + anomaly.type + ": " + anomaly.explanation;
    return out;
  }
  static bool has(const CheckResult& result, const std::string& anomaly) {
    return std::any_of(result.anomalies.begin(), result.anomalies.end(),
                       [&](const Anomaly& one) { return one.type == anomaly; });
  }
  // A race: seldom it does not show at once.
  static void expect_found(const std::string& name, const std::string& isolation, const std::string& anomaly) {
    CheckResult result;
    for (std::uint64_t seed = 1; seed <= 6 && !has(result, anomaly); ++seed) result = played(name, isolation, seed);
    EXPECT_EQ(result.verdict, Verdict::invalid) << name << ": " << told(result);
    EXPECT_TRUE(has(result, anomaly)) << name << ": " << told(result);
  }

  static std::unique_ptr<testing::LocalPostgres> server_;
};
std::unique_ptr<testing::LocalPostgres> SqlLedger::server_;

TEST_F(SqlLedger, IsValidAtEveryLevel) {
  for (const char* isolation : {"serializable", "repeatable read", "read committed"}) {
    const CheckResult result = played("none", isolation, 7);
    EXPECT_EQ(result.verdict, Verdict::valid) << isolation << ": " << told(result);
  }
}

TEST_F(SqlLedger, BreaksOfTheStreamAreFound) {
  expect_found("no-version-check", "read committed", "duplicate-version");
  expect_found("version-first", "read committed", "skipped-version");
  expect_found("stale-balance", "serializable", "overdraft");
  expect_found("stale-retry", "read committed", "overdraft");
  expect_found("ack-before-commit", "read committed", "lost-event");
  expect_found("split-read", "read committed", "wrong-balance");
}

TEST_F(SqlLedger, BreaksOfTheReadModelAreFound) {
  expect_found("no-dedup", "read committed", "wrong-model");
  expect_found("replay-on-top", "serializable", "wrong-replay");
}

// A client does `asked`; before one of its messages it is cut off, or another one does `between`. Then everything is
// looked at.
struct Interruption {
  std::vector<Operation> begun;  // by another client, before
  Operation asked;
  int first = 0, last = 0, step = 0;  // messages
  std::vector<Operation> between = {};
};

TEST_F(SqlLedger, WhatComesBetweenTheStepsOfAClientIsFound) {
  const Operation deposit = append("deposit", 0, 1, 5), second = append("deposit", 0, 2, 3);
  const auto judged = [&](const std::string& name, const Interruption& cut) {
    const SqlShape shape = tables(name);
    CheckResult result;
    for (int message = cut.first; message <= cut.last && result.verdict != Verdict::invalid; message += cut.step) {
      tables(name);
      Recorder recorder;
      SqlClient client(settings("read committed"), shape, "ledger");
      for (const Operation& one : cut.begun) (void)recorder.ask(client, 0, one, Deadline::after_s(60));
      using Proxy = testing::MessageProxy;
      const auto act = cut.between.empty() ? Proxy::Act::cut : Proxy::Act::call;
      Proxy proxy(server_->port(), {true, message, Proxy::Place::before, act}, [&](int) {
        SqlClient other(settings("read committed"), shape, "ledger");
        for (const Operation& one : cut.between) (void)recorder.ask(other, 2, one, Deadline::after_s(60));
      });
      SqlClient gone(settings("read committed", proxy.port()), shape, "ledger");
      (void)recorder.ask(gone, 1, cut.asked, Deadline::after_s(30));
      gone.close();
      look_at_all(recorder, client);
      result = recorder.judged();
    }
    return result;
  };
  // Its message is written after the event was committed.
  const Interruption append_cut = {{}, deposit, 19, 28, 3};
  CheckResult found = judged("dual-write", append_cut);
  EXPECT_TRUE(has(found, "model-behind")) << told(found);
  EXPECT_NE(judged("none", append_cut).verdict, Verdict::invalid);
  // What was published is marked as taken, and not applied yet.
  const Interruption model_cut = {{deposit}, look("model", 0), 30, 85, 5};
  found = judged("commit-before-apply", model_cut);
  EXPECT_TRUE(has(found, "model-behind")) << told(found);
  EXPECT_NE(judged("none", model_cut).verdict, Verdict::invalid);
  // One that was about to publish the first message does so after both are shown.
  const Interruption late = {{deposit}, look("model", 0), 12, 15, 1, {second, look("model", 0)}};
  found = judged("arrival-order", late);
  EXPECT_TRUE(has(found, "model-went-back")) << told(found);
  EXPECT_NE(judged("none", late).verdict, Verdict::invalid);
}

// The first COMMIT takes longer than the client waits for it.
TEST_F(SqlLedger, ARetryOfWhatMayBeCommittedIsFound) {
  const SqlShape shape = tables("retry-ambiguous");
  run("CREATE OR REPLACE FUNCTION ordeal_slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF (SELECT count(*) FROM "
      "ordeal_ledger) = 1 THEN PERFORM pg_sleep(1); END IF; RETURN NULL; END'");
  run("CREATE CONSTRAINT TRIGGER ordeal_slow AFTER INSERT ON ordeal_ledger DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "EXECUTE FUNCTION ordeal_slow()");
  Recorder recorder;
  SqlClient client(settings("read committed"), shape, "ledger");
  (void)recorder.ask(client, 1, append("deposit", 0, 1, 5), Deadline::after_s(60));
  look_at_all(recorder, client);
  const CheckResult result = recorder.judged();
  EXPECT_TRUE(has(result, "duplicate-event")) << told(result);
}

TEST(SqlLedgerOptions, ABreakThatChangesNothingIsRefused) {
  const TargetFactory factory = postgres_target();
  const auto check = [&](const char* name, const char* isolation, const char* data_type) {
    Options options(factory.options);
    EXPECT_TRUE(options.set("postgres.ledger-break", name, "test"));
    EXPECT_TRUE(options.set("postgres.isolation", isolation, "test"));
    const auto checked = factory.check_options(options, data_type);
    return checked ? std::string("taken") : checked.error().message;
  };
  for (const LedgerBreakRow& row : ledger_breaks()) {
    EXPECT_EQ(check(row.name, "read-committed", "ledger"), "taken") << row.name;
    const bool none = row.kind == LedgerBreak::none;
    EXPECT_EQ(check(row.name, "read-committed", "bank") == "taken", none) << row.name;
    const bool needs_weaker = row.kind == LedgerBreak::no_version_check || row.kind == LedgerBreak::split_read;
    EXPECT_EQ(check(row.name, "serializable", "ledger") == "taken", !needs_weaker) << row.name;
  }
  EXPECT_NE(check("split-read", "repeatable-read", "ledger"), "taken");
}

}  // namespace
}  // namespace ordeal
