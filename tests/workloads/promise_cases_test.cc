// The small histories of ../shared/cases/promises, each with what its workload's checker must say of it.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "checkers/history/reader.h"
#include "workloads/catalogue.h"

namespace ordeal {
namespace {

std::filesystem::path cases() {
  const char* given = std::getenv("ORDEAL_SHARED_CASES");
  return std::filesystem::path(given != nullptr ? given : ORDEAL_SHARED_CASES_DIR) / "promises";
}

// The options column: "--set KEY=VALUE", any number of them.
void take_settings(const std::string& text, Options& options) {
  const std::vector<std::string> words = split(text, ' ');
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    ASSERT_EQ(words[i], "--set") << text;
    const auto pair = key_value(words[i + 1]);
    ASSERT_TRUE(pair) << text;
    const auto set = options.set(pair->first, pair->second, "expected.tsv");
    ASSERT_TRUE(set) << set.error().message;
  }
}

TEST(Promises, TheSharedCasesAreJudgedAsExpected) {
  std::ifstream table(cases() / "expected.tsv");
  if (!table) GTEST_SKIP() << "no " << cases() << ": the shared cases were NOT judged";
  std::string line;
  std::getline(table, line);
  std::size_t rows = 0;
  while (std::getline(table, line)) {
    std::vector<std::string> columns;
    for (std::size_t at = 0; at != std::string::npos;) {
      const std::size_t end = line.find('\t', at);
      columns.push_back(line.substr(at, end == std::string::npos ? end : end - at));
      at = end == std::string::npos ? end : end + 1;
    }
    ASSERT_EQ(columns.size(), 5u) << line;
    ++rows;
    const auto read = read_history_file((cases() / columns[0]).string());
    ASSERT_TRUE(read) << read.error().message;
    const auto workload = find_workload(columns[1]);
    ASSERT_TRUE(workload) << workload.error().message;
    Options options((*workload)->options);
    take_settings(columns[2], options);
    Verdict verdict = Verdict::valid;
    std::string said;
    for (const auto& [checker, how] : (*workload)->checkers(options)) {
      const CheckResult result = checker->check(read->history, how);
      verdict = merged(verdict, result.verdict);
      said += result.reason;
      for (const auto& anomaly : result.anomalies) said += anomaly.type + ": " + anomaly.explanation + "\n";
    }
    EXPECT_EQ(name(verdict), columns[3]) << columns[0] << " (" << columns[4] << ")\n" << said;
  }
  EXPECT_GE(rows, 32u);
}

}  // namespace
}  // namespace ordeal
