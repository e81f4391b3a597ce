// Anomalies hidden among the transactions of correct stores are found, named, and rule out exactly the levels that they
// contradict. ORDEAL_HEAVY=N: N times as many; ORDEAL_SEED=N: others.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "checkers/transactions/levels.h"
#include "support/txn_check.h"
#include "support/txn_definitions.h"
#include "support/txn_inject.h"
#include "support/txn_stores.h"

namespace ordeal {
namespace {

using namespace testing_support;

OracleHistory correct(bool lists, std::mt19937_64& chance) {
  StoreRun run;
  run.protocol = chance() % 2 == 0 ? Protocol::two_phase : Protocol::serializable;
  run.lists = lists;
  run.transactions = 20 + chance() % 100;
  run.clients = 2 + static_cast<int>(chance() % 6);
  run.gives_up = 0.02;
  return run_store(run, chance);
}

std::set<std::string> types(const CheckResult& result) {
  std::set<std::string> out;
  for (const Anomaly& anomaly : result.anomalies) out.insert(anomaly.type);
  return out;
}
std::string listed(const std::set<std::string>& names) {
  std::string out;
  for (const std::string& one : names) out += " " + one;
  return out;
}

// Hides `small` among correct transactions. The levels ruled out must be those that it contradicts by itself, and
// nobody else may be accused. The names of what was found; empty: a test failed.
std::set<std::string> hidden(const OracleHistory& small, bool lists, std::mt19937_64& chance) {
  const auto levels = levels_by_definition(small, lists);
  if (!levels) return {};
  const Injected injected = inject(correct(lists, chance), small, chance);
  const std::string text = to_jsonl(injected.history);
  const CheckResult all = check_transactions(text, lists, "strongest");
  const auto holds = named_in(all, "holds"), out = named_in(all, "ruled-out", "level");
  for (const txn::Level& level : txn::levels()) {
    const auto known = levels->find(level.name);
    if (known == levels->end()) continue;
    if ((known->second ? holds : out).contains(level.name)) continue;
    ADD_FAILURE() << level.name << " should be " << (known->second ? "valid" : "invalid")
                  << "; found:" << listed(types(all)) << " " << all.reason << "\n"
                  << to_jsonl(small);
    return {};
  }
  // Events are numbered as their lines are.
  std::set<int> guilty;
  std::vector<std::pair<int, bool>> events;
  for (std::size_t t = 0; t < injected.history.size(); ++t) {
    events.emplace_back(injected.history[t].begin, t >= injected.first);
    events.emplace_back(injected.history[t].end, t >= injected.first);
  }
  std::sort(events.begin(), events.end());
  for (const Anomaly& anomaly : all.anomalies) {
    for (const EventIndex event : anomaly.operations) {
      if (events.at(event).second) continue;
      ADD_FAILURE() << anomaly.type << " accuses an innocent: " << anomaly.explanation << "\n" << text;
      return {};
    }
  }
  return types(all);
}

TEST(Injection, WhatIsMadeIsNamed) {
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1));
  std::map<std::string, std::size_t> made;
  for (std::size_t i = 0; i < 6 * heavy(); ++i) {
    for (const std::string& name : makeable_anomalies()) {
      for (const bool lists : {true, false}) {
        const auto small = make_anomaly(name, lists, chance);
        if (!small) continue;
        const auto found = hidden(*small, lists, chance);
        ASSERT_FALSE(found.empty()) << name;
        ASSERT_TRUE(found.contains(name)) << name << " was named" << listed(found) << "\n" << to_jsonl(*small);
        ++made[name];
      }
    }
  }
  for (const auto& [name, count] : made) std::cout << name << " " << count << ", ";
  std::cout << std::endl;
}

// Random histories: what is found in them alone is found among the others.
TEST(Injection, WhatIsFoundAloneIsFoundAmongOthers) {
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1) + 1);
  std::map<std::string, std::size_t> found_at_all;
  for (std::size_t i = 0; i < 600 * heavy(); ++i) {
    const bool lists = i % 2 == 0;
    TxnShape shape;
    shape.lists = lists;
    shape.transactions = 2 + chance() % 5;
    shape.falsify = 0.6;
    shape.store = Store::committed;
    const OracleHistory small = i % 4 < 2 ? guessed_transactions(shape, chance) : random_transactions(shape, chance);
    const CheckResult alone = check_transactions(to_jsonl(small), lists, "strongest");
    if (alone.anomalies.empty() || !levels_by_definition(small, lists)) continue;
    const auto found = hidden(small, lists, chance);
    ASSERT_EQ(listed(found), listed(types(alone))) << to_jsonl(small);
    for (const std::string& name : found) ++found_at_all[name];
  }
  for (const auto& [name, count] : found_at_all) std::cout << name << " " << count << ", ";
  std::cout << std::endl;
  EXPECT_GT(found_at_all.size(), 30u);
  // Whatever has a name is made above or shows up here, given enough.
  std::set<std::string> missing;
  for (const auto& one : txn::anomaly_names()) {
    const auto& makeable = makeable_anomalies();
    if (!found_at_all.contains(one.name) && std::find(makeable.begin(), makeable.end(), one.name) == makeable.end())
      missing.insert(one.name);
  }
  if (heavy() >= 20) {
    EXPECT_EQ(listed(missing), "");
  }
}

// One read of a correct store's history falsified. Other anomalies may follow from it.
TEST(Injection, AFalsifiedReadIsNamed) {
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1) + 2);
  std::map<std::string, std::size_t> made;
  for (std::size_t i = 0; i < 30 * heavy(); ++i) {
    for (const std::string anomaly : {"duplicate-elements", "garbage-read", "G1a", "dirty-update", "G1b", "internal",
                                      "incompatible-order", "future-read"}) {
      for (const bool lists : {true, false}) {
        if (!lists && (anomaly == "duplicate-elements" || anomaly == "dirty-update" || anomaly == "incompatible-order"))
          continue;
        const auto history = falsified(correct(lists, chance), anomaly, lists, chance);
        if (!history) continue;
        const std::string text = to_jsonl(*history);
        const CheckResult all = check_transactions(text, lists, "strongest");
        ASSERT_TRUE(types(all).contains(anomaly)) << anomaly << " was named" << listed(types(all)) << "\n" << text;
        for (const txn::Level& level : txn::levels()) {
          if (txn::forbids(level, anomaly)) {
            ASSERT_TRUE(named_in(all, "ruled-out", "level").contains(level.name))
                << level.name << " in spite of " << anomaly << "\n"
                << text;
          }
        }
        ++made[anomaly + (lists ? " of lists" : " of registers")];
      }
    }
  }
  for (const auto& [name, count] : made) {
    std::cout << name << " " << count << ", ";
    EXPECT_GT(count, 2 * heavy()) << name;
  }
  std::cout << std::endl;
  EXPECT_EQ(made.size(), 13u);
}

}  // namespace
}  // namespace ordeal
