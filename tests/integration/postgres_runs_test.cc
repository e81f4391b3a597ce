// PostgreSQL as a user runs it: what its isolation levels let through is found and named, serializable holds, and a
// killed server loses nothing that it acknowledged and nothing that was told to have failed shows up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/value.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class PostgresRun : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: local nodes need root";
    if (access("/usr/lib/postgresql/15/bin/postgres", X_OK) != 0)
      GTEST_SKIP() << "SKIPPED: PostgreSQL is not installed (package postgresql-15)";
  }
  ProgramResult play(const std::vector<std::string>& more) {
    std::vector<std::string> words = {ORDEAL_PROGRAM,
                                      "run",
                                      "--json",
                                      "--target",
                                      "postgres",
                                      "--set",
                                      "postgres.initdb-flags=--no-sync --wal-segsize=1",
                                      "--set",
                                      "postgres.flags=-c fsync=off"};
    const std::pair<const char*, const char*> kUsual[] = {
        {"--nodes", "local:1"}, {"--time-limit", "8"}, {"--rate", "unlimited"}, {"--seed", "1"}};
    for (const auto& [flag, usual] : kUsual) {
      if (std::find(more.begin(), more.end(), flag) == more.end()) words.insert(words.end(), {flag, usual});
    }
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words, seconds(240), {}, directory_.path());
  }
  // Standard output of a run that ends with that exit code.
  std::string run(int exit_code, const std::vector<std::string>& more) {
    const ProgramResult result = play(more);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    return result.out;
  }
  std::string isolation(int exit_code, const std::string& level) {
    return run(exit_code, {"--workload", "list-append", "--nemesis", "none", "--set", "postgres.isolation=" + level});
  }
  TemporaryDirectory directory_;
};

TEST_F(PostgresRun, ReadCommittedLosesUpdates) {
  EXPECT_THAT(isolation(1, "read-committed"), HasSubstr("\"lost-update\""));
}

TEST_F(PostgresRun, RepeatableReadAllowsWriteSkew) {
  const std::string found = isolation(1, "repeatable-read");
  EXPECT_THAT(found, HasSubstr("\"G2-item\""));
  EXPECT_THAT(found, ::testing::Not(HasSubstr("\"lost-update\"")));
}

TEST_F(PostgresRun, SerializableIsSerializable) { isolation(0, "serializable"); }

// Of a synchronous standby: reads on two nodes see commits in opposite orders.
TEST_F(PostgresRun, AStandbyAndItsPrimaryShowALongFork) {
  const auto reads = [](const char* where, const std::string& seed) {
    return std::vector<std::string>{"--nodes",       "local:2",
                                    "--time-limit",  "6",
                                    "--concurrency", "30",
                                    "--seed",        seed,
                                    "--workload",    "long-fork",
                                    "--nemesis",     "none",
                                    "--set",         "long-fork.group=10",
                                    "--set",         "postgres.replication=synchronous",
                                    "--set",         "postgres.isolation=repeatable-read",
                                    "--set",         std::string("postgres.reads=") + where};
  };
  // A race that about every second run shows.
  ProgramResult found = play(reads("own", "1"));
  for (int seed = 2; seed <= 12 && found.exit_code == 0; ++seed) found = play(reads("own", std::to_string(seed)));
  EXPECT_EQ(found.exit_code, 1) << found.err;
  EXPECT_THAT(found.out, HasSubstr("\"long-fork\""));
  run(0, reads("primary", "1"));
}

TEST_F(PostgresRun, NoPowerFailureTakesWhatItSynced) {
  const std::vector<std::string> words = {"--rate",
                                          "500",
                                          "--workload",
                                          "set",
                                          "--nemesis",
                                          "power-loss",
                                          "--nemesis-interval",
                                          "2",
                                          "--set",
                                          "power-loss.kind=lost",
                                          "--set",
                                          "postgres.initdb-flags="};
  auto synced = words;
  synced.insert(synced.end(), {"--set", "postgres.flags="});
  run(0, synced);
  EXPECT_THAT(run(1, words), HasSubstr("was acknowledged and is lost"));
}

TEST_F(PostgresRun, AKilledServerKeepsWhatItAcknowledged) {
  const std::vector<std::string> kill = {"--rate", "500",        "--nemesis", "kill", "--nemesis-interval",
                                         "2",      "--recovery", "60"};
  for (const char* workload : {"set", "bank"}) {
    SCOPED_TRACE(workload);
    std::vector<std::string> words = {"--workload", workload};
    words.insert(words.end(), kill.begin(), kill.end());
    run(0, words);
  }
}

TEST_F(PostgresRun, EveryWorkloadThatIsListedHasTables) {
  const ProgramResult listed = run_program({ORDEAL_PROGRAM, "list", "targets", "--json"}, seconds(60));
  const auto targets = Value::from_json(listed.out);
  ASSERT_TRUE(targets) << listed.out;
  std::size_t tried = 0;
  for (const Value& target : targets->items()) {
    const std::string name = target.find("name")->string();
    if (name != "postgres" && name != "cockroachdb") continue;
    for (const Value& workload : target.find("workloads")->items()) {
      ++tried;
      const ProgramResult planned = run_program(
          {ORDEAL_PROGRAM, "run", "--target", name, "--workload", workload.string(), "--dry-run"}, seconds(60));
      EXPECT_EQ(planned.exit_code, 0) << name << ", " << workload.string() << ": " << planned.err;
    }
  }
  EXPECT_GE(tried, 50U);
}

// Each way to make the ledger wrong is played, and expected to be found by a name.
TEST_F(PostgresRun, TheLedgersCampaignHasEveryBreak) {
  const ProgramResult listed = run_program({ORDEAL_PROGRAM, "list", "targets", "postgres", "--json"}, seconds(60));
  const ProgramResult planned =
      run_program({ORDEAL_PROGRAM, "run", ORDEAL_EXAMPLES_DIR "/campaigns/ledger.toml", "--dry-run"}, seconds(60), {},
                  directory_.path());
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  std::size_t breaks = 0;
  const auto target = Value::from_json(listed.out);
  ASSERT_TRUE(target) << listed.out;
  for (const Value& option : target->items()[0].find("options")->items()) {
    if (*option.find("key") != Value("postgres.ledger-break")) continue;
    for (const Value& choice : option.find("choices")->items()) {
      ++breaks;
      const std::string name = "postgres.ledger-break=" + choice.string() + "\n";
      const std::size_t at = planned.out.find(name);
      ASSERT_NE(at, std::string::npos) << name << planned.out;
      const bool right = choice == Value("none");
      const std::string next = planned.out.substr(at + name.size(), planned.out.find('\n', at + name.size()) - at);
      EXPECT_EQ(next.find("expected: invalid: ") == std::string::npos, right) << name << next;
    }
  }
  EXPECT_GT(breaks, 10U);
}

TEST_F(PostgresRun, AWorkloadWithoutTablesIsWrongUsage) {
  const ProgramResult result =
      run_program({ORDEAL_PROGRAM, "run", "--target", "postgres", "--nodes", "local:1", "--workload", "kafka"},
                  seconds(60), {}, directory_.path());
  EXPECT_EQ(result.exit_code, 64) << result.err;
}

}  // namespace
}  // namespace ordeal::testing
