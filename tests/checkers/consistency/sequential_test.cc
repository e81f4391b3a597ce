// The checker "sequential" on the shared adversarial histories, and on small ones by hand.

#include "checkers/consistency/sequential.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "checkers/consistency/sequential_search.h"
#include "checkers/consistency/sequential_sources.h"
#include "checkers/history/reader.h"
#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/models/model.h"
#include "support/history_generator.h"

namespace ordeal {
namespace {

CheckResult judged(std::string_view edn, const std::string& model) {
  const auto read = read_history(edn, "test");
  EXPECT_TRUE(read) << read.error().message;
  CheckOptions options;
  options.model = model;
  return sequential_checker()->check(read->history, options);
}

TEST(Sequential, StoreBufferingIsNotSequentialAlthoughEachKeyIs) {
  const std::string x =
      "{:process 0 :type :invoke :f :write :key \"x\" :value 1}{:process 0 :type :ok :f :write :key \"x\" :value 1}"
      "{:process 1 :type :invoke :f :read :key \"x\"}{:process 1 :type :ok :f :read :key \"x\" :value nil}";
  const std::string both =
      "{:process 0 :type :invoke :f :write :key \"x\" :value 1}{:process 0 :type :ok :f :write :key \"x\" :value 1}"
      "{:process 0 :type :invoke :f :read :key \"y\"}{:process 0 :type :ok :f :read :key \"y\" :value nil}"
      "{:process 1 :type :invoke :f :write :key \"y\" :value 1}{:process 1 :type :ok :f :write :key \"y\" :value 1}"
      "{:process 1 :type :invoke :f :read :key \"x\"}{:process 1 :type :ok :f :read :key \"x\" :value nil}";
  EXPECT_EQ(judged(x, "register").verdict, Verdict::valid);
  EXPECT_EQ(judged(both, "register").verdict, Verdict::invalid);
}

TEST(Sequential, WhatComesAfterACrashIsNotOrderedAfterIt) {
  const std::string text =
      "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :info :f :write :value 1}"
      "{:process 0 :type :invoke :f :read}{:process 0 :type :ok :f :read :value nil}"
      "{:process 0 :type :invoke :f :read}{:process 0 :type :ok :f :read :value 1}";
  EXPECT_EQ(judged(text, "register").verdict, Verdict::valid);
}

TEST(Sequential, UnknownModelsAndFruitlessHistories) {
  EXPECT_EQ(judged("{:process 0 :type :invoke :f :read}", "register").verdict, Verdict::unknown);
  EXPECT_NE(judged("{:process 0 :type :invoke :f :read}", "registre").reason.find("did you mean"), std::string::npos);
}

TEST(Sequential, OperationsOfUnknownMeaningDecideNothing) {
  // The increment could explain the read.
  EXPECT_EQ(judged("{:process 0 :type :invoke :f :increment}{:process 0 :type :ok :f :increment}"
                   "{:process 1 :type :invoke :f :read}{:process 1 :type :ok :f :read :value 1}",
                   "register")
                .verdict,
            Verdict::unknown);
}

// The search over the writers of repeated values and the one over configurations, on the same histories.
TEST(Sequential, TheSearchOverSourcesAgrees) {
  std::map<Verdict, int> decided;
  for (std::uint64_t seed = 0; seed < 4'000; ++seed) {
    std::mt19937_64 chance(seed);
    testing_support::RandomHistory shape;
    shape.model = seed % 3 == 0 ? "register" : "cas-register";
    shape.operations = 4 + seed % 9;
    shape.clients = 2 + static_cast<int>(seed % 3);
    shape.values = 2 + static_cast<int>(seed % 2);
    shape.keys = 1 + static_cast<int>(seed % 3);
    shape.crashed = seed % 4 == 0 ? 0.2 : 0;
    const History history = testing_support::random_history(shape, chance);
    CheckOptions options;
    options.model = shape.model;
    if (seed % 5 == 0) options.initial = Value(1);
    const auto model = lin::make_model(history, options);
    ASSERT_TRUE(model);
    const lin::Partition parts = lin::partition(history, **model);
    const SequentialSessions sessions = sequential_sessions(history, **model, parts);
    const SequentialAnswer found = sequential_by_sources(history, sessions, options);
    if (found.verdict == Verdict::unknown) continue;
    SequentialSearch search(**model, sessions, parts.keys.size(), {});
    ASSERT_EQ(found.verdict, search.run()) << "seed " << seed;
    ++decided[found.verdict];
    if (found.verdict != Verdict::invalid) continue;
    // What the anomaly names has no order, either.
    ASSERT_TRUE(found.anomaly);
    EXPECT_EQ(found.anomaly->type, "nonsequential");
    const std::set<EventIndex> named(found.anomaly->operations.begin(), found.anomaly->operations.end());
    SequentialSessions part = sessions;
    for (auto& session : part)
      std::erase_if(session, [&](const auto& step) { return !named.contains(step.invocation); });
    SequentialSearch again(**model, part, parts.keys.size(), {});
    EXPECT_EQ(again.run(), Verdict::invalid) << "seed " << seed;
  }
  EXPECT_GT(decided[Verdict::valid], 500);
  EXPECT_GT(decided[Verdict::invalid], 500);
}

// Ten clients, 200 operations, five values: a minute was not enough for the search over configurations.
TEST(RegressSequential, RepeatedValuesOfManyClientsAreDecided) {
  std::mt19937_64 chance(5);
  testing_support::RandomHistory shape;
  shape.operations = 200;
  shape.clients = 10;
  shape.values = 5;
  shape.keys = 2;
  shape.crashed = 0;
  for (int i = 0; i < 6; ++i) {
    const History history = testing_support::random_history(shape, chance);
    CheckOptions options;
    options.model = "cas-register";
    options.timeout = std::chrono::seconds(60);
    const CheckResult result = sequential_checker()->check(history, options);
    EXPECT_NE(result.verdict, Verdict::unknown) << i << ": " << result.reason;
  }
}

TEST(Sequential, AdversarialHistories) {
  const char* given = std::getenv("ORDEAL_SHARED_DATA");
  const std::filesystem::path folder =
      std::filesystem::path(given != nullptr ? given : ORDEAL_SHARED_DATA_DIR) / "adversarial";
  std::ifstream table(folder / "expected.tsv");
  if (!table) GTEST_SKIP() << "no shared histories at " << folder;
  int rows = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string file, model, property, verdict;
    fields >> file >> model >> property >> verdict;
    if (property != "sequential") continue;
    ++rows;
    const auto read = read_history_file((folder / file).string());
    ASSERT_TRUE(read) << read.error().message;
    CheckOptions options;
    options.model = model;
    const CheckResult result = sequential_checker()->check(read->history, options);
    EXPECT_EQ(name(result.verdict), verdict) << file << " as " << model << ": " << result.reason;
  }
  EXPECT_GT(rows, 20);
}

}  // namespace
}  // namespace ordeal
