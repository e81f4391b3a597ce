// What the workloads generate: which operations, on which keys, by whom, and that a seed fixes them.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "checkers/interfaces/last_look.h"
#include "tests/workloads/play.h"
#include "workloads/catalogue.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

std::string text(const gen::Issued& op) {
  return op.operation.f + " " + (op.operation.key ? op.operation.key->to_json() : "-") + " " +
         op.operation.value.to_json();
}

TEST(WorkloadsTest, RegistersAreWorkedOnInGroups) {
  const auto log = play_workload("register", {}, 10, 2000);
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

TEST(WorkloadsTest, UniqueValuesAreUniqueOnTheirKey) {
  std::map<std::string, std::set<std::int64_t>> written;
  for (const auto& op : play_workload("register", {{"register.values", "unique"}}, 10, 2000)) {
    if (op.operation.f == "read") continue;
    const Value& value = op.operation.f == "cas" ? op.operation.value.items()[1] : op.operation.value;
    EXPECT_TRUE(written[op.operation.key->to_json()].insert(value.integer()).second) << text(op);
    if (op.operation.f == "cas" && !op.operation.value.items()[0].is_nil()) {
      EXPECT_TRUE(written[op.operation.key->to_json()].contains(op.operation.value.items()[0].integer()));
    }
  }
  EXPECT_EQ(written.size(), 20u);
}

// At the level eventual every worker reads every register in the end, when replicas have had their time.
TEST(RegisterWorkload, EventualRegistersAreReadByAllInTheEnd) {
  EXPECT_EQ(make_workload("register", {}, 10)->final_generator, nullptr);
  auto workload = make_workload(
      "register",
      {{"register.consistency", "eventual"}, {"register.settle", "3"}, {"register.operations-per-key", "50"}}, 10);
  ASSERT_TRUE(workload);
  gen::Simulation main;
  main.workers = 10;
  main.most = 420;
  std::set<std::string> keys;
  for (const auto& op : main.play(*workload->generator)) keys.insert(op.operation.key->to_json());
  EXPECT_GE(keys.size(), 8u);
  gen::Simulation end;
  end.workers = 10;
  // The first read of worker 3 fails, and nothing that worker 4 asks for succeeds.
  bool failed = false;
  end.outcome = [&](const gen::Issued& op) {
    if (op.worker == 4) return EventType::fail;
    if (op.worker != 3 || std::exchange(failed, true)) return EventType::ok;
    return EventType::fail;
  };
  std::map<int, std::map<std::string, int>> reads;
  for (const auto& op : end.play(*workload->final_generator)) {
    EXPECT_EQ(op.operation.f, "read");
    EXPECT_GE(op.time_ns, 3'000'000'000);
    ++reads[op.worker][op.operation.key->to_json()];
  }
  EXPECT_TRUE(end.finished);
  EXPECT_EQ(reads.size(), 10u);
  for (const auto& [worker, of_keys] : reads) {
    EXPECT_EQ(of_keys.size(), keys.size()) << worker;
    for (const auto& [key, times] : of_keys) {
      EXPECT_TRUE(keys.contains(key));
      if (worker == 4) {
        EXPECT_GT(times, 20);
      } else {
        EXPECT_LE(times, worker == 3 ? 2 : 1);
      }
    }
  }
  EXPECT_TRUE(failed);
}

// With a bound, when it is over as well: only reads that late show whether it was kept.
TEST(RegisterWorkload, RegistersWithABoundAreReadAfterIt) {
  auto workload = make_workload(
      "register",
      {{"register.consistency", "eventual-5s"}, {"register.settle", "3"}, {"register.operations-per-key", "50"}}, 10);
  ASSERT_TRUE(workload);
  gen::Simulation main, end;
  main.workers = end.workers = 10;
  main.most = 420;
  std::set<std::string> keys, read;
  for (const auto& op : main.play(*workload->generator)) keys.insert(op.operation.key->to_json());
  for (const auto& op : end.play(*workload->final_generator)) {
    EXPECT_EQ(op.operation.f, "read");
    EXPECT_GE(op.time_ns, 8'000'000'000);
    read.insert(op.operation.key->to_json());
  }
  EXPECT_EQ(read, keys);
}

TEST(WorkloadsTest, TheSeedFixesTheOperations) {
  for (const auto& factory : workloads()) {
    const std::string& name = factory.name;
    const auto a = play_workload(name, {}, 6, 500, 7);
    const auto b = play_workload(name, {}, 6, 500, 7);
    const auto c = play_workload(name, {}, 6, 500, 8);
    std::vector<std::string> texts[3];
    for (const auto& op : a) texts[0].push_back(text(op));
    for (const auto& op : b) texts[1].push_back(text(op));
    for (const auto& op : c) texts[2].push_back(text(op));
    EXPECT_EQ(texts[0], texts[1]) << name;
    // Of workloads without chance, every seed asks the same.
    const bool chance = name != "unique-ids" && name != "ordered-ids" && name != "lock" && name != "rate-limit" &&
                        name != "token-bucket" && name != "concurrency-limit";
    EXPECT_EQ(texts[0] != texts[2], chance) << name;
  }
}

// Targets decide by it what they are, and which bugs strike.
TEST(WorkloadsTest, EachSaysItsDataType) {
  for (const auto& factory : workloads()) EXPECT_NE(factory.data_type, "") << factory.name;
}

TEST(WorkloadsTest, PlansThatDoNotFitAreRefused) {
  const auto refused = [](const std::map<std::string, std::string>& settings, int workers) {
    const auto made = make_workload("register", settings, workers);
    EXPECT_FALSE(made);
    if (made) return std::string();
    EXPECT_EQ(made.error().code, ErrorCode::usage);
    return made.error().message;
  };
  EXPECT_NE(refused({{"register.keys", "1"}}, 10).find("register.keys"), std::string::npos);
  EXPECT_NE(refused({{"register.workers-per-key", "3"}}, 10).find("--concurrency 12"), std::string::npos);
  EXPECT_NE(refused({{"register.workers-per-key", "20"}}, 10).find("20"), std::string::npos);
  EXPECT_NE(refused({{"register.reads", "0"}, {"register.writes", "0"}, {"register.cas", "0"}}, 10), "");
  EXPECT_TRUE(make_workload("register", {{"register.keys", "2"}}, 10));
  EXPECT_TRUE(make_workload("register", {}, 1));
  EXPECT_TRUE(make_workload("register", {}, 7));
}

TEST(WorkloadsTest, ABoundedNumberOfKeysEnds) {
  const auto log =
      play_workload("register", {{"register.keys", "3"}, {"register.operations-per-key", "10"}}, 5, 10'000);
  EXPECT_EQ(log.size(), 30u);
}

TEST(WorkloadsTest, NoElementIsAddedTwice) {
  std::set<std::int64_t> added;
  std::size_t reads = 0;
  for (const auto& op : play_workload("set", {{"set.reads", "0.2"}}, 5, 2000)) {
    EXPECT_FALSE(op.operation.key);
    if (op.operation.f == "read") {
      ++reads;
    } else {
      EXPECT_TRUE(added.insert(op.operation.value.integer()).second);
    }
  }
  EXPECT_NEAR(static_cast<double>(reads), 400, 100);
}

TEST(WorkloadsTest, TransfersGoBetweenDifferentAccounts) {
  std::set<std::int64_t> accounts;
  std::size_t reads = 0;
  for (const auto& op : play_workload("bank", {{"bank.accounts", "3"}, {"bank.max-transfer", "2"}}, 5, 1000)) {
    if (op.operation.f == "read") {
      ++reads;
      continue;
    }
    EXPECT_EQ(op.operation.f, "transfer");
    const std::int64_t from = op.operation.value.find("from")->integer();
    const std::int64_t to = op.operation.value.find("to")->integer();
    const std::int64_t amount = op.operation.value.find("amount")->integer();
    EXPECT_NE(from, to);
    EXPECT_TRUE(amount == 1 || amount == 2);
    accounts.insert({from, to});
  }
  EXPECT_EQ(accounts, (std::set<std::int64_t>{0, 1, 2}));
  EXPECT_NEAR(static_cast<double>(reads), 500, 60);
}

TEST(WorkloadsTest, EveryWorkerReadsTheSetInTheEnd) {
  auto workload = make_workload("set", {}, 4);
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

// Whether nobody knows what is there in the end when nobody looked after the last fault is decided for every workload:
// its models are in the table of looks, and its last operations are looks; or it promises nothing of the kind.
TEST(WorkloadsTest, EachLooksInTheEndOrPromisesNothingOfIt) {
  const std::set<std::string> without = {
      "cas-register",      "register",          "list-append", "rw-register", "cas-by-version",  // answers at a level
      "long-fork",         "sequential-writes", "g2",                                            // … or in an order
      "concurrency-limit", "leader-election",   "lock",        "rate-limit",  "token-bucket",    // who may do what now
      "ordered-ids",       "unique-ids"};
  for (const auto& factory : workloads()) {
    auto workload = make_workload(factory.name, {}, 4);
    ASSERT_TRUE(workload) << factory.name;
    for (const ConfiguredChecker& one : workload->checkers) {
      const std::string model = one.options.model.empty() ? std::string(one.checker->name()) : one.options.model;
      const auto all = last_looks();
      const auto look =
          std::find_if(all.begin(), all.end(), [&](const LastLook& entry) { return entry.model == model; });
      EXPECT_NE(look == all.end(), without.count(model) == 0) << factory.name << ": " << model;
      if (look == all.end()) continue;
      ASSERT_NE(workload->final_generator, nullptr) << factory.name;
      gen::Simulation simulation;
      simulation.workers = 4;
      simulation.most = 100;
      (void)simulation.play(*workload->generator);
      simulation.most = 2000;
      std::set<std::string> issued;
      simulation.outcome = [&](const gen::Issued& op) {
        issued.insert(op.operation.f);
        return EventType::ok;
      };
      (void)simulation.play(*workload->final_generator);
      for (const auto& group : look->shown_by) {
        EXPECT_TRUE(std::any_of(group.begin(), group.end(), [&](auto f) { return issued.count(std::string(f)) > 0; }))
            << factory.name << ": " << group.front();
      }
    }
  }
}

TEST(Promise, ChangesWithTheLevelAndClaimsNoMore) {
  std::size_t seen = 0;
  for (const WorkloadFactory& workload : workloads()) {
    EXPECT_TRUE(workload.promise.ends_with('.')) << workload.name;
    EXPECT_EQ(promise_of(workload, Options(workload.options)), workload.promise) << workload.name;
    const auto levels = levels_of(workload);
    ASSERT_FALSE(levels.empty()) << workload.name;
    for (std::string level : levels) {
      if (level.ends_with("-T")) level.replace(level.size() - 1, 1, "50ms");
      Options options(workload.options);
      ASSERT_TRUE(set_level(workload, level, "test", options)) << workload.name << " " << level;
      const std::string promise = promise_of(workload, options);
      if (level == levels.front()) {
        EXPECT_EQ(promise, workload.promise) << workload.name;
        continue;
      }
      ++seen;
      EXPECT_NE(promise.find(" at the level " + level + ", and no more"), std::string::npos) << promise;
      EXPECT_EQ(promise.find(workload.promise), std::string::npos) << promise;
      EXPECT_TRUE(promise.ends_with('.')) << promise;
      // The checker judges just that level.
      const auto checkers = workload.checkers(options);
      ASSERT_EQ(checkers.size(), 1u);
      EXPECT_EQ(checkers.front().options.consistency, level);
    }
  }
  EXPECT_GT(seen, 100u);
}

TEST(Promise, OptionsThatChangeItAreNamed) {
  const auto bank = find_workload("bank");
  ASSERT_TRUE(bank);
  Options options((*bank)->options);
  ASSERT_TRUE(options.set("bank.negative-balances", "true", "test"));
  const std::string promise = promise_of(**bank, options);
  EXPECT_TRUE(promise.starts_with("By default: " + (*bank)->promise)) << promise;
  EXPECT_NE(promise.find("bank.negative-balances is true"), std::string::npos) << promise;
}

TEST(Levels, AreThoseOfTheCatalogueOfModels) {
  const auto has = [](const char* workload, const std::string& level) {
    const auto levels = levels_of(**find_workload(workload));
    return std::find(levels.begin(), levels.end(), level) != levels.end();
  };
  for (const char* level :
       {"linearizable", "sequential", "causal-cm", "pram", "monotonic-reads", "regular", "k-atomic-3"})
    EXPECT_TRUE(has("register", level)) << level;
  EXPECT_TRUE(has("register", "eventual"));
  EXPECT_TRUE(has("register", "eventual-T"));
  for (const char* workload :
       {"set", "set-full", "counter", "queue", "g-set", "pn-counter", "causal-reverse", "unique-ids"})
    EXPECT_TRUE(has(workload, "sequential")) << workload;
  EXPECT_TRUE(has("bank", "snapshot-isolation"));
  EXPECT_TRUE(has("long-fork", "causal"));
  EXPECT_EQ(levels_of(**find_workload("kafka")), (std::vector<std::string>{"read-committed"}));
  Options options((*find_workload("set"))->options);
  const auto wrong = set_level(**find_workload("set"), "regular", "--consistency", options);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::usage);
  EXPECT_NE(wrong.error().message.find("linearizable, causal-cc, eventual, sequential, bounded-staleness-T and final"),
            std::string::npos)
      << wrong.error().message;
}

// A cas is not judged at levels at which it has no meaning.
TEST(Levels, RegularRegistersAreAskedForWithoutCas) {
  const WorkloadFactory& workload = **find_workload("register");
  for (const char* cas : {"1", "0"}) {
    Options options(workload.options);
    ASSERT_TRUE(options.set("register.cas", cas, "test"));
    ASSERT_TRUE(set_level(workload, "regular", "test", options));
    const auto made = workload.make({options, 10, 1, 1});
    EXPECT_EQ(made.has_value(), *cas == '0');
    if (!made) {
      EXPECT_EQ(made.error().code, ErrorCode::usage);
      EXPECT_NE(made.error().message.find("register.cas=0"), std::string::npos) << made.error().message;
    }
  }
}

}  // namespace
}  // namespace ordeal
