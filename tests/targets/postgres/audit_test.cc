// The SQL client's outcomes, proven against a real PostgreSQL: it is cut off, kept waiting, cancelled and killed
// before, within and after every message of a transaction, both ways. What it called `fail` must never be seen, what it
// called `ok` must be there, and nothing may be there twice.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>

#include "targets/sql/client.h"
#include "tests/targets/postgres/local_postgres.h"
#include "tests/targets/postgres/message_proxy.h"

namespace ordeal {
namespace {

using Act = testing::MessageProxy::Act;
using Place = testing::MessageProxy::Place;
using Point = testing::MessageProxy::Point;

class SqlAudit : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::LocalPostgres::installed())
      GTEST_SKIP() << "SKIPPED: there is no " << testing::kPostgresBin << "/postgres (package postgresql-15)";
    server_ = std::make_unique<testing::LocalPostgres>();
    server_->start("set");
  }
  [[nodiscard]] SqlSession::Settings settings(int port) const {
    return {.endpoint = {.address = "127.0.0.1", .port = port, .user = "postgres", .database = "postgres"},
            .dialect = &postgres_dialect(),
            .evidence = SqlSession::Settings::Evidence::full};
  }
  void tell(int backend, const char* function) const {
    SqlSession session(settings(server_->port()));
    std::vector<SqlRows> ignored;
    const std::string text = std::string("SELECT ") + function + "(" + std::to_string(backend) + ")";
    (void)session.direct({{text}}, ignored, Deadline::after_s(30));
  }

  struct Trial {
    Point point;
    const char* called = nullptr;  // of Act::call: the function that the server is asked for
    Completion done = {};
    bool reached = false;
  };
  // Adds the element to the set while the proxy interferes.
  void attempt(Trial& trial, int element) const {
    testing::MessageProxy proxy(server_->port(), trial.point, [&](int backend) { tell(backend, trial.called); });
    SqlClient client(settings(proxy.port()), {}, "set");
    const auto opened = client.open(Deadline::after_s(30));
    ASSERT_TRUE(opened) << opened.error().message;
    const bool waits = trial.point.act == Act::stall;
    trial.done =
        client.invoke({"add", std::nullopt, element}, waits ? Deadline::after(kPatience) : Deadline::after_s(30));
    client.close();
    trial.reached = proxy.reached();
  }
  // All of them, several at a time.
  void attempt_all(std::vector<Trial>& trials) const {
    std::atomic<std::size_t> next = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 12; ++i) {
      threads.emplace_back([&] {
        for (std::size_t at = next++; at < trials.size(); at = next++) attempt(trials[at], static_cast<int>(at));
      });
    }
  }
  // How often each element is in the set when nobody changes it any more.
  std::map<std::int64_t, int> settled() const {
    SqlSession session(settings(server_->port()));
    const Deadline deadline = Deadline::after_s(60);
    std::vector<SqlRows> rows;
    do {
      rows.clear();
      const auto problem =
          session.direct({{"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                           "AND pid <> pg_backend_pid()"}},
                         rows, Deadline::after_s(30));
      EXPECT_FALSE(problem) << problem->error->message;
    } while (!rows.empty() && rows[0].rows[0][0] != "0" && !deadline.passed());
    SqlClient client(settings(server_->port()), {}, "set");
    const Completion all = client.invoke({"read", std::nullopt, {}}, Deadline::after_s(60));
    EXPECT_EQ(all.type, EventType::ok);
    std::map<std::int64_t, int> out;
    for (const Value& one : all.value->items()) ++out[one.integer()];
    return out;
  }
  static std::string told(const Trial& trial) {
    static const char* places[] = {"before", "within", "after"};
    static const char* acts[] = {"cut off", "kept waiting", ""};
    return std::string(trial.called == nullptr ? acts[static_cast<int>(trial.point.act)] : trial.called) + " " +
           places[static_cast<int>(trial.point.place)] + " message " + std::to_string(trial.point.message) +
           " of the " + (trial.point.from_client ? "client" : "server") + ": " + std::string(name(trial.done.type)) +
           " " + (trial.done.error ? trial.done.error->kind + ", " + trial.done.error->message : "");
  }

  static constexpr auto kPatience = std::chrono::milliseconds(300);
  std::unique_ptr<testing::LocalPostgres> server_;
};

// BEGIN, SHOW and INSERT, the question for its number, and COMMIT, each prepared, bound, described and executed, and
// two ends of a pipeline: 22 messages; the server's answers are about as many.
TEST_F(SqlAudit, NoFailIsEverSeenAndNothingIsDoneTwice) {
  constexpr int kMessages = 23;
  std::vector<Trial> trials;
  for (const bool from_client : {true, false}) {
    for (int message = 0; message < kMessages; ++message) {
      for (const Place place : {Place::before, Place::within, Place::after}) {
        trials.push_back({{from_client, message, place, Act::cut}});
        if (place == Place::within) continue;
        trials.push_back({{from_client, message, place, Act::stall}});
        trials.push_back({{from_client, message, place, Act::call}, "pg_cancel_backend"});
        trials.push_back({{from_client, message, place, Act::call}, "pg_terminate_backend"});
      }
    }
  }
  attempt_all(trials);
  const auto seen = settled();
  int reached = 0, failed = 0, unknown_there = 0, unknown_absent = 0;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const auto found = seen.find(static_cast<std::int64_t>(i));
    const int times = found == seen.end() ? 0 : found->second;
    const EventType outcome = trials[i].done.type;
    EXPECT_LE(times, 1) << told(trials[i]);
    if (outcome != EventType::info) {
      EXPECT_EQ(times, outcome == EventType::ok ? 1 : 0) << told(trials[i]);
    }
    reached += trials[i].reached ? 1 : 0;
    failed += outcome == EventType::fail ? 1 : 0;
    if (outcome == EventType::info) ++(times == 1 ? unknown_there : unknown_absent);
  }
  // Else it would show nothing: of every kind there are some.
  EXPECT_GE(reached, static_cast<int>(trials.size()) / 2);
  EXPECT_GE(failed, 50);
  EXPECT_GE(unknown_there, 5);
  EXPECT_GE(unknown_absent, 5);
  RecordProperty("trials", static_cast<int>(trials.size()));
}

// The server dies, too, around the message that commits.
TEST_F(SqlAudit, AServerThatIsKilledAroundCommitLeavesNoDoubt) {
  std::vector<Trial> trials;
  for (int message = 16; message < 22; ++message) trials.push_back({{true, message, Place::after, Act::call}, ""});
  for (std::size_t i = 0; i < trials.size(); ++i) {
    testing::MessageProxy proxy(server_->port(), trials[i].point,
                                [&](int) { EXPECT_TRUE(server_->target().processes()->kill(server_->node())); });
    SqlClient client(settings(proxy.port()), {}, "set");
    ASSERT_TRUE(client.open(Deadline::after_s(30)));
    trials[i].done = client.invoke({"add", std::nullopt, static_cast<std::int64_t>(i)}, Deadline::after_s(30));
    client.close();
    ASSERT_TRUE(server_->target().start(server_->node()));
    ASSERT_TRUE(server_->target().await_ready(Deadline::after_s(60)));
  }
  const auto seen = settled();
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const bool there = seen.contains(static_cast<std::int64_t>(i));
    if (trials[i].done.type != EventType::info) {
      EXPECT_EQ(there, trials[i].done.type == EventType::ok) << told(trials[i]);
    }
  }
}

}  // namespace
}  // namespace ordeal
