// The transactions that an anomaly names prove it: checked alone, they break the same level, by the checker and by the
// definitions of txn_definitions.h.
// ORDEAL_HEAVY=N multiplies the number of histories; ORDEAL_SEED=N visits others.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "checkers/transactions/levels.h"
#include "support/txn_check.h"
#include "support/txn_definitions.h"
#include "support/txn_oracle.h"

namespace ordeal {
namespace {

using namespace testing_support;

// Operations are in the order of their invocations, and so are transactions when sorted by their beginnings.
OracleHistory part_of(OracleHistory history, const std::vector<EventIndex>& named) {
  std::sort(history.begin(), history.end(), [](const OracleTxn& a, const OracleTxn& b) { return a.begin < b.begin; });
  auto read = read_history(to_jsonl(history), "test");
  if (!read) throw std::runtime_error(read.error().message);
  const auto operations = read->history.operations();
  OracleHistory out;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (std::find(named.begin(), named.end(), operations[i].invocation) != named.end()) out.push_back(history[i]);
  }
  return out;
}

void prove(bool lists, std::size_t count) {
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1) + 7 + lists);
  std::map<std::string, std::size_t> proved, failed;
  for (std::size_t i = 0; i < count * heavy(); ++i) {
    TxnShape shape;
    shape.lists = lists;
    shape.transactions = 3 + chance() % 5;
    shape.keys = 1 + static_cast<int>(chance() % 3);
    shape.falsify = 0.5;
    shape.store = i % 3 == 0 ? Store::snapshot : Store::committed;
    const OracleHistory history = i % 2 == 0 ? guessed_transactions(shape, chance) : random_transactions(shape, chance);
    const std::string& level = txn::levels()[i % txn::levels().size()].name;
    const CheckResult whole = check_transactions(to_jsonl(history), lists, level);
    if (whole.verdict != Verdict::invalid) continue;
    const bool contradictory = std::any_of(whole.anomalies.begin(), whole.anomalies.end(),
                                           [](const Anomaly& one) { return one.type == "incompatible-order"; });
    for (const Anomaly& anomaly : whole.anomalies) {
      // Lists that contradict each other show several orders, of which the others are judged by one.
      if (contradictory && anomaly.type != "incompatible-order") continue;
      ASSERT_FALSE(anomaly.operations.empty()) << anomaly.type << "\n" << to_jsonl(history);
      const OracleHistory part = part_of(history, anomaly.operations);
      const CheckResult alone = check_transactions(to_jsonl(part, lists), lists, level);
      // The definitions, which share no code with the checker, must agree where they decide.
      const auto defined = levels_by_definition(part, lists);
      const bool contradicted = defined && defined->contains(level) && defined->at(level);
      const bool shown = alone.verdict == Verdict::invalid && !contradicted;
      ++(shown ? proved : failed)[anomaly.type];
      if (shown || failed[anomaly.type] > 1) continue;
      ADD_FAILURE() << anomaly.type << " at " << level << " is not proved by what it names: " << name(alone.verdict)
                    << " " << alone.reason << "\n"
                    << to_jsonl(part) << "of\n"
                    << to_jsonl(history);
    }
  }
  for (const auto& [type, times] : proved) std::cout << type << " " << times << ", ";
  std::cout << "\n";
  for (const auto& [type, times] : failed) std::cout << "NOT " << type << " " << times << ", ";
  std::cout << std::endl;
  EXPECT_GT(proved.size(), 15u);
}

TEST(Proofs, OfListsStandAlone) { prove(true, 1500); }
TEST(Proofs, OfRegistersStandAlone) { prove(false, 1500); }

}  // namespace
}  // namespace ordeal
