// Simulated stores are never accused at their own level, and are shown to miss a stronger one. ORDEAL_HEAVY=N: N times
// as many runs; ORDEAL_TRANSACTIONS=N: of so many transactions; ORDEAL_SEED=N: others.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "support/txn_check.h"
#include "support/txn_stores.h"

namespace ordeal {
namespace testing_support {
void PrintTo(const ProtocolInfo& info, std::ostream* out) { *out << info.name; }
}  // namespace testing_support
namespace {

using namespace testing_support;

class Stores : public ::testing::TestWithParam<ProtocolInfo> {};

TEST_P(Stores, KeepTheirLevelAndMissAStrongerOne) {
  const ProtocolInfo& info = GetParam();
  for (const bool lists : {true, false}) {
    std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1) * 1000 + static_cast<std::uint64_t>(info.protocol));
    std::size_t missed = 0, outcomes[3] = {0, 0, 0}, unknown = 0;
    const std::size_t runs = 6 * heavy();
    for (std::size_t i = 0; i < runs; ++i) {
      StoreRun run;
      run.protocol = info.protocol;
      run.lists = lists;
      run.transactions = environment_number("ORDEAL_TRANSACTIONS", 500);
      run.clients = 3 + static_cast<int>(chance() % 8);
      run.keys = 3 + static_cast<int>(chance() % 6);
      const OracleHistory history = run_store(run, chance);
      for (const OracleTxn& txn : history) ++outcomes[txn.outcome == 'o' ? 0 : txn.outcome == 'i' ? 1 : 2];
      const std::string text = to_jsonl(history);
      const CheckResult result = check_transactions(text, lists, std::string(info.level));
      unknown += result.verdict == Verdict::unknown;
      ASSERT_NE(result.verdict, Verdict::invalid)
          << "run " << i << ", lists: " << lists << ": " << result.anomalies[0].type << ": "
          << result.anomalies[0].explanation << "\n"
          << ::testing::PrintToString(result.anomalies[0].sentences);
      if (!info.stronger.empty())
        missed += check_transactions(text, lists, std::string(info.stronger)).verdict == Verdict::invalid;
    }
    EXPECT_EQ(unknown, 0u);
    if (!info.stronger.empty()) {
      EXPECT_GT(missed, 0u) << info.stronger << ", lists: " << lists;
    }
    for (const std::size_t count : outcomes) EXPECT_GT(count, runs);
    std::cout << info.name << (lists ? ", lists: " : ", registers: ") << outcomes[0] << " ok, " << outcomes[1]
              << " info, " << outcomes[2] << " fail; " << unknown << " unknown; " << info.stronger << " missed by "
              << missed << " of " << runs << "\n";
  }
}

INSTANTIATE_TEST_SUITE_P(All, Stores, ::testing::ValuesIn(protocols()), [](const auto& one) {
  std::string out(one.param.name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
});

}  // namespace
}  // namespace ordeal
