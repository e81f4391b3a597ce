// Every level of the lattice against its definition, on random histories and on all small ones, and the definitions
// against the oracles that execute schedules. ORDEAL_HEAVY=N multiplies their number; ORDEAL_SEED=N visits others.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "checkers/transactions/levels.h"
#include "support/histories.h"
#include "support/small_transactions.h"
#include "support/txn_check.h"
#include "support/txn_definitions.h"

namespace ordeal {
namespace {

using namespace testing_support;

// What a comparison saw.
struct Tally {
  std::size_t histories = 0, holds = 0, ruled_out = 0;
  std::map<std::string, std::size_t> undecided, found;

  void print(const std::string& title) const {
    std::cout << title << ": " << histories << " histories, " << holds << " levels hold, " << ruled_out
              << " ruled out; undecided:";
    for (const auto& [level, count] : undecided) std::cout << " " << level << " " << count;
    std::cout << "; found:";
    for (const auto& [type, count] : found) std::cout << " " << type << " " << count;
    std::cout << std::endl;
  }
};

// All levels at once, and one of them alone. False: something was wrong, and a test failed.
bool agrees(const OracleHistory& history, bool lists, Tally& tally) {
  const auto expected = levels_by_definition(history, lists);
  const bool observed = std::any_of(history.begin(), history.end(), [](const OracleTxn& txn) {
    return txn.outcome == 'o' &&
           std::any_of(txn.ops.begin(), txn.ops.end(), [](const OracleOp& op) { return op.f == 'r'; });
  });
  if (!expected || !observed) return true;
  const std::string text = to_jsonl(history);
  const CheckResult all = check_transactions(text, lists, "strongest");
  const auto holds = named_in(all, "holds"), out = named_in(all, "ruled-out", "level"),
             undecided = named_in(all, "undecided");
  ++tally.histories;
  for (const Anomaly& anomaly : all.anomalies) ++tally.found[anomaly.type];
  std::string types;
  for (const Anomaly& anomaly : all.anomalies) types += " " + anomaly.type;
  for (const txn::Level& level : txn::levels()) {
    const auto known = expected->find(level.name);
    if (known == expected->end()) continue;
    if (undecided.contains(level.name))
      ++tally.undecided[level.name];
    else if (known->second)
      ++tally.holds;
    else
      ++tally.ruled_out;
    const bool wrong = holds.contains(level.name) + out.contains(level.name) + undecided.contains(level.name) != 1 ||
                       (known->second ? out : holds).contains(level.name);
    if (!wrong) continue;
    ADD_FAILURE() << level.name << " should be " << (known->second ? "valid" : "invalid") << "; found:" << types << " "
                  << all.reason << "\n"
                  << text;
    return false;
  }
  // One level asked alone says the same, unless it is undecided without the others.
  const txn::Level& level = txn::levels()[tally.histories % txn::levels().size()];
  const auto known = expected->find(level.name);
  if (known == expected->end()) return true;
  const CheckResult one = check_transactions(text, lists, level.name);
  if (one.verdict == (known->second ? Verdict::valid : Verdict::invalid)) return true;
  if (one.verdict == Verdict::unknown && undecided.contains(level.name)) return true;
  ADD_FAILURE() << level.name << " alone is " << name(one.verdict) << ", but should be "
                << (known->second ? "valid" : "invalid") << " " << one.reason << "\n"
                << text;
  return false;
}

enum class Source { serial, snapshot, committed, guessed };

void compare(bool lists, Source source, std::size_t count, std::size_t operations = 3) {
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1) * 100 + static_cast<std::uint64_t>(source) * 2 + lists);
  Tally tally;
  count_histories(count * heavy());
  for (std::size_t i = 0; i < count * heavy(); ++i) {
    TxnShape shape;
    shape.lists = lists;
    shape.operations = operations;
    shape.transactions = 2 + static_cast<std::size_t>(chance() % 5);
    shape.keys = 1 + static_cast<int>(chance() % 3);
    shape.processes = 2 + static_cast<int>(chance() % 3);
    shape.falsify = 0.5;
    if (source != Source::guessed)
      shape.store = source == Source::serial     ? Store::serial
                    : source == Source::snapshot ? Store::snapshot
                                                 : Store::committed;
    const OracleHistory history =
        source == Source::guessed ? guessed_transactions(shape, chance) : random_transactions(shape, chance);
    if (!agrees(history, lists, tally)) break;
  }
  tally.print(lists ? "lists" : "registers");
  EXPECT_GT(tally.holds, 1000u);
  EXPECT_GT(tally.ruled_out, 1000u);
}

TEST(Definitions, ListsOfASerialStore) { compare(true, Source::serial, 500); }
TEST(Definitions, ListsOfASnapshotStore) { compare(true, Source::snapshot, 500); }
TEST(Definitions, ListsOfAReadCommittedStore) { compare(true, Source::committed, 500); }
TEST(Definitions, GuessedLists) { compare(true, Source::guessed, 1000); }
TEST(Definitions, RegistersOfASerialStore) { compare(false, Source::serial, 500); }
TEST(Definitions, RegistersOfASnapshotStore) { compare(false, Source::snapshot, 500); }
TEST(Definitions, RegistersOfAReadCommittedStore) { compare(false, Source::committed, 500); }
TEST(Definitions, GuessedRegisters) { compare(false, Source::guessed, 1000); }

// Transactions so long that keys are read again, with others in between.
TEST(Definitions, ListsReadAgain) { compare(true, Source::guessed, 500, 6); }
TEST(Definitions, RegistersReadAgain) { compare(false, Source::guessed, 500, 6); }

void compare_small(bool lists) {
  Tally tally;
  const std::size_t stride = std::max<std::size_t>(1, 50 / heavy());
  std::size_t seen = 0;
  bool good = true;
  SmallHistories(lists).for_each([&](const OracleHistory& history) {
    if (good && ++seen % stride == 0) good = agrees(history, lists, tally);
  });
  tally.print(lists ? "small lists" : "small registers");
  EXPECT_GT(tally.ruled_out, 1000u);
}
TEST(Definitions, AllSmallHistoriesOfLists) { compare_small(true); }
TEST(Definitions, AllSmallHistoriesOfRegisters) { compare_small(false); }

// Executing schedules and ordering versions are two ways to say the same.
void compare_oracles(bool lists, std::size_t count) {
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1) + 77);
  std::map<std::string, std::size_t> held;
  for (std::size_t i = 0; i < count * heavy(); ++i) {
    TxnShape shape;
    shape.lists = lists;
    shape.transactions = 2 + static_cast<std::size_t>(chance() % 3);
    shape.keys = 1 + static_cast<int>(chance() % 2);
    shape.store = i % 4 == 1 ? Store::serial : i % 4 == 2 ? Store::snapshot : Store::committed;
    shape.falsify = 0.5;
    const OracleHistory history = i % 4 == 0 ? guessed_transactions(shape, chance) : random_transactions(shape, chance);
    const auto levels = levels_by_definition(history, lists);
    ASSERT_TRUE(levels);
    const auto same = [&](const char* level, bool executed) {
      held[level] += executed;
      EXPECT_EQ(levels->at(level), executed) << level << "\n" << to_jsonl(history);
      return levels->at(level) == executed;
    };
    using enum OracleOrder;
    const bool good =
        same("serializable", serializable(history, none)) &&
        same("strong-session-serializable", serializable(history, session)) &&
        same("strict-serializable", serializable(history, realtime)) &&
        same("snapshot-isolation", snapshot_isolated(history, none)) &&
        same("strong-session-snapshot-isolation", snapshot_isolated(history, session)) &&
        same("strong-snapshot-isolation", snapshot_isolated(history, realtime)) &&
        same("prefix", prefix_consistent(history, session)) &&
        same("strong-prefix", prefix_consistent(history, realtime)) &&
        same("parallel-snapshot-isolation", parallel_snapshot_isolated(history, none)) &&
        same("strong-session-parallel-snapshot-isolation", parallel_snapshot_isolated(history, session)) &&
        same("strong-parallel-snapshot-isolation", parallel_snapshot_isolated(history, realtime));
    if (!good) return;
  }
  for (const auto& [level, count_held] : held) EXPECT_GT(count_held, 10u) << level;
}
TEST(Oracles, AgreeOnLists) { compare_oracles(true, 300); }
TEST(Oracles, AgreeOnRegisters) { compare_oracles(false, 300); }

}  // namespace
}  // namespace ordeal
