// What the workloads generate: which operations, on which keys, by whom, and that a seed fixes them.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "checkers/catalogue.h"
#include "tests/harness/generator/simulation.h"
#include "workloads/catalogue.h"

namespace ordeal {
namespace {

class WorkloadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* checker : {"linearizable", "set"}) {
      if (!find_checker(checker)) GTEST_SKIP() << "the catalogue has no checker " << checker;
    }
  }

  static Result<Workload> make(const std::string& name, const std::map<std::string, std::string>& settings, int workers,
                               std::uint64_t seed = 1) {
    const auto factory = find_workload(name);
    if (!factory) return fail(factory.error());
    // The generators keep nothing of the options.
    Options options((*factory)->options);
    for (const auto& [key, value] : settings) {
      if (auto set = options.set(key, value, "test"); !set) return fail(set.error());
    }
    return (*factory)->make({options, workers, seed, 60});
  }

  static std::vector<gen::Issued> play(const std::string& name, const std::map<std::string, std::string>& settings,
                                       int workers, std::size_t most, std::uint64_t seed = 1) {
    auto workload = make(name, settings, workers, seed);
    EXPECT_TRUE(workload) << workload.error().message;
    gen::Simulation simulation;
    simulation.workers = workers;
    simulation.most = most;
    return simulation.play(*workload->generator);
  }

  static std::string text(const gen::Issued& op) {
    return op.operation.f + " " + (op.operation.key ? op.operation.key->to_json() : "-") + " " +
           op.operation.value.to_json();
  }
};

TEST_F(WorkloadsTest, RegistersAreWorkedOnInGroups) {
  const auto log = play("register", {}, 10, 2000);
  ASSERT_EQ(log.size(), 2000u);
  std::map<std::string, std::size_t> operations;
  std::map<std::string, std::set<int>> groups;
  std::map<std::string, std::size_t> kinds;
  for (const auto& op : log) {
    ASSERT_TRUE(op.operation.key);
    const std::string key = op.operation.key->to_json();
    ++operations[key];
    ++kinds[op.operation.f];
    groups[key].insert(op.worker / 5);
    if (op.operation.f == "read") {
      EXPECT_TRUE(op.operation.value.is_nil());
    } else if (op.operation.f == "write") {
      EXPECT_GE(op.operation.value.integer(), 0);
      EXPECT_LT(op.operation.value.integer(), 5);
    } else {
      ASSERT_EQ(op.operation.f, "cas");
      EXPECT_EQ(op.operation.value.items().size(), 2u);
    }
  }
  for (const auto& [key, count] : operations) EXPECT_LE(count, 100u) << key;
  for (const auto& [key, members] : groups) EXPECT_EQ(members.size(), 1u) << key;
  EXPECT_EQ(operations.size(), 20u);
  // Weights 2:1:1.
  EXPECT_NEAR(static_cast<double>(kinds["read"]), 1000, 120);
  EXPECT_NEAR(static_cast<double>(kinds["write"]), 500, 100);
  EXPECT_NEAR(static_cast<double>(kinds["cas"]), 500, 100);
}

TEST_F(WorkloadsTest, UniqueValuesAreUniqueOnTheirKey) {
  std::map<std::string, std::set<std::int64_t>> written;
  for (const auto& op : play("register", {{"register.values", "unique"}}, 10, 2000)) {
    if (op.operation.f == "read") continue;
    const Value& value = op.operation.f == "cas" ? op.operation.value.items()[1] : op.operation.value;
    EXPECT_TRUE(written[op.operation.key->to_json()].insert(value.integer()).second) << text(op);
    if (op.operation.f == "cas" && !op.operation.value.items()[0].is_nil()) {
      EXPECT_TRUE(written[op.operation.key->to_json()].contains(op.operation.value.items()[0].integer()));
    }
  }
  EXPECT_EQ(written.size(), 20u);
}

TEST_F(WorkloadsTest, TheSeedFixesTheOperations) {
  for (const char* name : {"register", "set"}) {
    const auto a = play(name, {}, 6, 500, 7);
    const auto b = play(name, {}, 6, 500, 7);
    const auto c = play(name, {}, 6, 500, 8);
    std::vector<std::string> texts[3];
    for (const auto& op : a) texts[0].push_back(text(op));
    for (const auto& op : b) texts[1].push_back(text(op));
    for (const auto& op : c) texts[2].push_back(text(op));
    EXPECT_EQ(texts[0], texts[1]) << name;
    EXPECT_NE(texts[0], texts[2]) << name;
  }
}

TEST_F(WorkloadsTest, PlansThatDoNotFitAreRefused) {
  const auto refused = [](const std::map<std::string, std::string>& settings, int workers) {
    const auto made = make("register", settings, workers);
    EXPECT_FALSE(made);
    if (made) return std::string();
    EXPECT_EQ(made.error().code, ErrorCode::usage);
    return made.error().message;
  };
  EXPECT_NE(refused({{"register.keys", "1"}}, 10).find("register.keys"), std::string::npos);
  EXPECT_NE(refused({{"register.workers-per-key", "3"}}, 10).find("--concurrency 12"), std::string::npos);
  EXPECT_NE(refused({{"register.workers-per-key", "20"}}, 10).find("20"), std::string::npos);
  EXPECT_NE(refused({{"register.reads", "0"}, {"register.writes", "0"}, {"register.cas", "0"}}, 10), "");
  EXPECT_TRUE(make("register", {{"register.keys", "2"}}, 10));
  EXPECT_TRUE(make("register", {}, 1));
  EXPECT_TRUE(make("register", {}, 7));
}

TEST_F(WorkloadsTest, ABoundedNumberOfKeysEnds) {
  const auto log = play("register", {{"register.keys", "3"}, {"register.operations-per-key", "10"}}, 5, 10'000);
  EXPECT_EQ(log.size(), 30u);
}

TEST_F(WorkloadsTest, NoElementIsAddedTwice) {
  std::set<std::int64_t> added;
  std::size_t reads = 0;
  for (const auto& op : play("set", {{"set.reads", "0.2"}}, 5, 2000)) {
    EXPECT_FALSE(op.operation.key);
    if (op.operation.f == "read") {
      ++reads;
    } else {
      EXPECT_TRUE(added.insert(op.operation.value.integer()).second);
    }
  }
  EXPECT_NEAR(static_cast<double>(reads), 400, 100);
}

TEST_F(WorkloadsTest, EveryWorkerReadsTheSetInTheEnd) {
  auto workload = make("set", {}, 4);
  ASSERT_TRUE(workload);
  gen::Simulation simulation;
  simulation.workers = 4;
  // Worker 2's first two reads fail, those of worker 3 all.
  std::map<int, int> tries;
  simulation.outcome = [&](const gen::Issued& op) {
    const int n = ++tries[op.worker];
    return op.worker == 3 || (op.worker == 2 && n <= 2) ? EventType::fail : EventType::ok;
  };
  const auto log = simulation.play(*workload->final_generator);
  EXPECT_TRUE(simulation.finished);
  EXPECT_EQ(tries[0], 1);
  EXPECT_EQ(tries[1], 1);
  EXPECT_EQ(tries[2], 3);
  EXPECT_GT(tries[3], 10);
  EXPECT_LT(tries[3], 60);
  for (const auto& op : log) EXPECT_EQ(op.operation.f, "read");
}

}  // namespace
}  // namespace ordeal
