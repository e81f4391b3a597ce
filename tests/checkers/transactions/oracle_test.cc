// The checker against brute force that executes schedules, on random small histories and all small ones. ORDEAL_HEAVY=N
// multiplies their number.
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "support/small_transactions.h"
#include "support/txn_check.h"
#include "support/txn_levels.h"
#include "support/txn_oracle.h"

namespace ordeal {
namespace {

using namespace testing_support;

void compare(bool lists, Store store, std::uint64_t seed, std::size_t count) {
  std::mt19937_64 chance(seed);
  std::size_t decided = 0, invalid = 0;
  for (std::size_t i = 0; i < count * heavy(); ++i) {
    TxnShape shape;
    shape.lists = lists;
    shape.store = store;
    shape.transactions = 2 + static_cast<std::size_t>(chance() % 4);
    shape.keys = 1 + static_cast<int>(chance() % 3);
    const OracleHistory history = random_transactions(shape, chance);
    const std::string text = to_jsonl(history);
    for (const OrderedLevel& level : kLevels) {
      const bool expected = allowed(history, level);
      const CheckResult result = check_transactions(text, lists, level.name);
      if (result.verdict == Verdict::unknown) {
        EXPECT_NE(result.reason.find("succeeded"), std::string::npos) << result.reason << "\n" << text;
        continue;
      }
      ++decided;
      if (!expected) ++invalid;
      ASSERT_EQ(result.verdict == Verdict::valid, expected)
          << level.name << ", history " << i << (result.anomalies.empty() ? "" : " " + result.anomalies[0].type) << "\n"
          << text;
    }
  }
  EXPECT_GT(decided, 0u);
  EXPECT_GT(invalid, decided / 50);
}

TEST(Oracle, ListAppendOfASerialStore) { compare(true, Store::serial, 1, 400); }
TEST(Oracle, ListAppendOfASnapshotStore) { compare(true, Store::snapshot, 2, 400); }
TEST(Oracle, ListAppendOfAReadCommittedStore) { compare(true, Store::committed, 3, 400); }
TEST(Oracle, RegistersOfASerialStore) { compare(false, Store::serial, 4, 400); }
TEST(Oracle, RegistersOfASnapshotStore) { compare(false, Store::snapshot, 5, 400); }
TEST(Oracle, RegistersOfAReadCommittedStore) { compare(false, Store::committed, 6, 400); }

TEST(Oracle, AxiomsOfRegisters) {
  std::mt19937_64 chance(8);
  std::size_t decided = 0, invalid = 0;
  for (std::size_t i = 0; i < 1500 * heavy(); ++i) {
    TxnShape shape;
    shape.lists = false;
    shape.store = Store::committed;
    shape.crashed = shape.failed = 0;
    shape.falsify = 0.7;
    shape.transactions = 3 + static_cast<std::size_t>(chance() % 3);
    const OracleHistory history = random_transactions(shape, chance);
    const std::string text = to_jsonl(history);
    const CheckResult all = check_transactions(text, false, "strongest");
    const bool outside = std::any_of(all.anomalies.begin(), all.anomalies.end(), [](const Anomaly& one) {
      return one.type == "internal" || one.type == "G1b" || one.type == "future-read" || one.type == "garbage-read";
    });
    if (outside || all.verdict == Verdict::unknown) continue;
    for (const auto& [level, axiom, realtime] :
         {std::tuple{"monotonic-atomic-view", OracleAxiom::monotonic_view, false},
          {"read-committed-axiomatic", OracleAxiom::read_committed, false},
          {"read-atomic", OracleAxiom::read_atomic, false},
          {"pram", OracleAxiom::pram, false},
          {"causal", OracleAxiom::causal, false},
          {"strong-monotonic-atomic-view", OracleAxiom::read_committed, true},
          {"strong-read-atomic", OracleAxiom::read_atomic, true},
          {"strong-pram", OracleAxiom::pram, true},
          {"strong-causal", OracleAxiom::causal, true}}) {
      const CheckResult result = check_transactions(text, false, level);
      const bool expected = axiom_holds(history, axiom, realtime);
      ++decided;
      if (!expected) ++invalid;
      ASSERT_EQ(name(result.verdict), expected ? "valid" : "invalid")
          << level << ", history " << i << (result.anomalies.empty() ? result.reason : " " + result.anomalies[0].type)
          << "\n"
          << text;
    }
  }
  EXPECT_GT(invalid, decided / 100);
}

void compare_all(bool lists) {
  std::size_t number = 0, decided = 0, invalid = 0;
  const std::size_t stride = std::max<std::size_t>(1, 50 / heavy());
  SmallHistories(lists).for_each([&](const OracleHistory& history) {
    if (++number % stride != 0 || ::testing::Test::HasFatalFailure()) return;
    const std::string text = to_jsonl(history);
    for (const OrderedLevel& level : kLevels) {
      const bool expected = allowed(history, level);
      const CheckResult result = check_transactions(text, lists, level.name);
      ++decided;
      if (!expected) ++invalid;
      ASSERT_EQ(name(result.verdict), expected ? "valid" : "invalid")
          << level.name << ", history " << number
          << (result.anomalies.empty() ? result.reason : " " + result.anomalies[0].type) << "\n"
          << text;
    }
  });
  EXPECT_GT(decided, 1000u);
  EXPECT_GT(invalid, 500u);
}

TEST(Oracle, AllSmallHistoriesOfLists) { compare_all(true); }
TEST(Oracle, AllSmallHistoriesOfRegisters) { compare_all(false); }

}  // namespace
}  // namespace ordeal
