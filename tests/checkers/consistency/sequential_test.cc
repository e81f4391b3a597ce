// The checker "sequential" on the shared adversarial histories, and on small ones by hand.

#include "checkers/consistency/sequential.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "checkers/history/reader.h"

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
