// Registers to which values are written more than once, against brute force that executes schedules and does not care
// who wrote what it sees. ORDEAL_HEAVY=N multiplies the number of histories, ORDEAL_SEED=N visits others.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "support/environment.h"
#include "support/histories.h"
#include "support/txn_check.h"
#include "support/txn_levels.h"
#include "support/txn_oracle.h"

namespace ordeal {
namespace {

using namespace testing_support;

// What an anomaly names has no order by itself, whatever was not named.
bool proved(const OracleHistory& history, const CheckResult& result, const OrderedLevel& level) {
  OracleHistory sorted = history, part;
  std::sort(sorted.begin(), sorted.end(), [](const OracleTxn& a, const OracleTxn& b) { return a.begin < b.begin; });
  auto read = read_history(to_jsonl(sorted, false), "test");
  if (!read) return false;
  const auto operations = read->history.operations();
  return std::all_of(result.anomalies.begin(), result.anomalies.end(), [&](const Anomaly& one) {
    part.clear();
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (std::find(one.operations.begin(), one.operations.end(), operations[i].invocation) != one.operations.end())
        part.push_back(sorted[i]);
    }
    return !part.empty() && !allowed(part, level);
  });
}

// Nothing at all was read, or nobody succeeded.
bool nothing_observed(const CheckResult& result) { return result.reason.find("succeeded") != std::string::npos; }

enum class Kind { serial, snapshot, committed, guessed };

void compare(Kind kind, std::size_t count) {
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1) * 1'000 + static_cast<std::uint64_t>(kind));
  std::map<std::string, std::size_t> valid, invalid;
  count_histories(count * heavy());
  for (std::size_t i = 0; i < count * heavy(); ++i) {
    TxnShape shape;
    shape.lists = false;
    shape.transactions = 2 + static_cast<std::size_t>(chance() % 5);
    shape.operations = 2 + chance() % 3;
    shape.keys = 1 + static_cast<int>(chance() % 3);
    shape.processes = 2 + static_cast<int>(chance() % 3);
    shape.values = 1 + static_cast<int>(chance() % 3);
    shape.crashed = 0.15;
    shape.falsify = 0.5;
    shape.store = kind == Kind::serial ? Store::serial : kind == Kind::snapshot ? Store::snapshot : Store::committed;
    const OracleHistory history =
        kind == Kind::guessed ? guessed_transactions(shape, chance) : random_transactions(shape, chance);
    const std::string text = to_jsonl(history, false);
    for (const OrderedLevel& level : kLevels) {
      const CheckResult result = check_transactions(text, false, level.name);
      if (result.verdict == Verdict::unknown) {
        if (level.model != OrderModel::prefix && !nothing_observed(result))
          FAIL() << level.name << " undecided: " << result.reason << "\n" << text;
        continue;
      }
      const bool expected = allowed(history, level);
      ++(expected ? valid : invalid)[level.name];
      ASSERT_EQ(result.verdict == Verdict::valid, expected)
          << level.name << ", history " << i << (result.anomalies.empty() ? "" : " " + result.anomalies[0].type) << "\n"
          << text;
      ASSERT_TRUE(expected || proved(history, result, level)) << level.name << "\n" << text;
    }
  }
  for (const OrderedLevel& level : kLevels) {
    EXPECT_GT(valid[level.name], count / 20) << level.name;
    // Prefix consistency is not decided where values repeat, unless something stronger holds or it is broken for sure.
    if (level.model == OrderModel::prefix) continue;
    EXPECT_GT(invalid[level.name], count / 20) << level.name;
  }
}

// What may be seen of repeated values, by hand. Lines of transactions that follow each other, each in its own process.
std::string lines(const std::vector<std::string>& txns, const std::vector<std::string>& outcomes = {}) {
  std::string text;
  for (std::size_t t = 0; t < txns.size(); ++t) {
    for (const std::string& type : {std::string("invoke"), t < outcomes.size() ? outcomes[t] : std::string("ok")}) {
      text += "{\"process\":" + std::to_string(t) + ",\"type\":\"" + type + "\",\"f\":\"txn\",\"value\":[" + txns[t] +
              "]}\n";
    }
  }
  return text;
}
Verdict verdict(const std::string& text, const char* level) { return check_transactions(text, false, level).verdict; }

TEST(RepeatedValues, AReadTakesTheWriterThatFits) {
  const std::string one = R"(["w","x",1])", two = R"(["w","x",2])", sees_one = R"(["r","x",1])";
  // Written anew before it was read, or not.
  EXPECT_EQ(verdict(lines({one, two, one, sees_one}), "strict-serializable"), Verdict::valid);
  EXPECT_EQ(verdict(lines({one, one, two, sees_one}), "strict-serializable"), Verdict::invalid);
  EXPECT_EQ(verdict(lines({one, one, two, sees_one}), "serializable"), Verdict::valid);
  // By one that may have crashed, or that certainly failed.
  EXPECT_EQ(verdict(lines({one, one, two, sees_one}, {"ok", "info"}), "strict-serializable"), Verdict::valid);
  EXPECT_EQ(verdict(lines({one, two, one, sees_one}, {"ok", "ok", "fail"}), "strict-serializable"), Verdict::invalid);
}

TEST(RepeatedValues, TwoUpdatesOfOneVersionAreLostWhoeverWroteIt) {
  const std::string update = R"(["r","x",1],["w","x",2])";
  const std::vector<std::string> txns = {R"(["w","x",1])", update, update, R"(["r","x",2])"};
  for (const char* level : {"serializable", "snapshot-isolation"}) {
    EXPECT_EQ(verdict(lines(txns), level), Verdict::invalid) << level;
    // A second one saves them.
    auto more = txns;
    more.emplace_back(R"(["w","x",1])");
    EXPECT_EQ(verdict(lines(more), level), Verdict::valid) << level;
  }
}

TEST(RepeatedValues, WriteSkewIsAllowedBySnapshotsOnly) {
  std::vector<std::string> txns = {R"(["w","x",1],["w","y",1])", R"(["w","x",1],["w","y",1])",
                                   R"(["r","x",1],["r","y",1],["w","x",2])", R"(["r","x",1],["r","y",1],["w","y",2])"};
  EXPECT_EQ(verdict(lines(txns), "serializable"), Verdict::valid);  // the second one in between
  EXPECT_EQ(verdict(lines(txns), "strict-serializable"), Verdict::invalid);
  txns.emplace_back(R"(["r","x",2],["r","y",2])");
  EXPECT_EQ(verdict(lines(txns), "snapshot-isolation"), Verdict::valid);
  EXPECT_EQ(verdict(lines(txns), "serializable"), Verdict::invalid);
}

TEST(RepeatedValues, AreNoMatterWhereNobodyReadThem) {
  const std::string text = lines({R"(["w","x",1])", R"(["w","x",1])", R"(["w","x",2])", R"(["r","x",2])"});
  for (const char* level : {"read-committed-axiomatic", "causal", "strict-serializable"})
    EXPECT_EQ(verdict(text, level), Verdict::valid) << level;
}

TEST(RepeatedValues, OfASerialStore) { compare(Kind::serial, 500); }
TEST(RepeatedValues, OfASnapshotStore) { compare(Kind::snapshot, 500); }
TEST(RepeatedValues, OfAReadCommittedStore) { compare(Kind::committed, 500); }
TEST(RepeatedValues, Guessed) { compare(Kind::guessed, 1000); }

}  // namespace
}  // namespace ordeal
