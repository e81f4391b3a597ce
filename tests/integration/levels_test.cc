// Every workload at every level that it offers, on the memory target: the correct store is accused at none; a store
// that lags behind keeps the weaker levels and not the stronger; and no level fails where a stronger one holds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "checkers/transactions/levels.h"
#include "tests/integration/memory_run.h"
#include "workloads/catalogue.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

CheckResult judged_at(const WorkloadFactory& workload, const Recorded& run, const std::string& level) {
  Options options = run.options;
  if (level.ends_with("-T")) return judged_at(workload, run, level.substr(0, level.size() - 1) + "500ms");
  // What the plan says of the level is said anew.
  const auto set = set_level(workload, level, "test", options);
  EXPECT_TRUE(set) << set.error().message;
  auto checkers = workload.checkers(options);
  checkers.front().options.timeout = std::chrono::seconds(3);
  return checkers.front().checker->check(run.history, checkers.front().options);
}

using ::testing::AnyOf;
using ::testing::Contains;
using Verdicts = std::map<std::string, Verdict>;
Verdicts judged_at_all(const WorkloadFactory& workload, const Recorded& run) {
  Verdicts out;
  for (const std::string& level : levels_of(workload)) out[level] = judged_at(workload, run, level).verdict;
  return out;
}

// What the levels of objects imply (checkers/consistency/README.md), written down anew.
const std::vector<std::pair<const char*, const char*>>& arrows() {
  static const std::vector<std::pair<const char*, const char*>> all = {
      {"linearizable", "sequential"},
      {"linearizable", "k-atomic-1"},
      {"k-atomic-1", "k-atomic-2"},
      {"k-atomic-2", "k-atomic-3"},
      {"k-atomic-3", "k-atomic-16"},
      {"linearizable", "regular"},
      {"regular", "safe"},
      {"linearizable", "bounds"},
      {"linearizable", "eventual"},
      {"linearizable", "eventual-T"},
      {"linearizable", "final"},
      {"linearizable", "fifo"},
      {"fifo", "at-most-once"},
      {"sequential", "causal-ccv"},
      {"sequential", "causal-cc"},
      {"linearizable", "bounded-staleness-T"},
      {"sequential", "causal-cm"},
      {"causal-ccv", "causal-cc"},
      {"causal-cm", "causal-cc"},
      {"causal-cm", "pram"},
      {"causal-ccv", "monotonic-writes"},
      {"causal-ccv", "writes-follow-reads"},
      {"causal-ccv", "read-your-writes"},
      {"monotonic-writes", "monotonic-reads"},
      {"writes-follow-reads", "monotonic-reads"},
      {"exactly-once", "at-least-once"},
      {"exactly-once", "at-most-once"},
      {"linearizable", "unique"},
  };
  return all;
}

// No weaker level is invalid where a stronger one is valid.
void expect_ordered(const std::string& workload, const Verdicts& verdicts) {
  const auto expect = [&](const std::string& strong, const std::string& weak) {
    const auto s = verdicts.find(strong), w = verdicts.find(weak);
    if (s == verdicts.end() || w == verdicts.end() || s->second != Verdict::valid) return;
    EXPECT_NE(w->second, Verdict::invalid) << workload << ": valid at " << strong << " and invalid at " << weak;
  };
  for (const auto& [strong, weak] : arrows()) expect(strong, weak);
  for (const txn::Level& level : txn::levels()) {
    for (const std::string& weaker : level.implies) expect(level.name, weaker);
    for (const std::string& alias : level.aliases) {
      expect(level.name, alias);
      expect(alias, level.name);
    }
  }
}

// A run without waits that can be judged at all levels.
Settings settings_for(const std::string& workload, bool cas) {
  Settings out = {{"memory.latency", "200us"}};
  const auto& options = (*find_workload(workload))->options;
  if (std::any_of(options.begin(), options.end(),
                  [&](const OptionSpec& one) { return one.key == workload + ".settle"; }))
    out.emplace_back(workload + ".settle", "50ms");
  if (workload == "register") {
    out.emplace_back("register.values", "unique");
    if (!cas) out.emplace_back("register.cas", "0");
  }
  return out;
}

std::string words(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}
std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& factory : workloads()) out.push_back(factory.name);
  return out;
}

class AtEveryLevel : public testing::TestWithParam<std::string> {};

TEST_P(AtEveryLevel, TheCorrectStoreIsNeverAccused) {
  const WorkloadFactory& workload = **find_workload(GetParam());
  for (const bool cas : {true, false}) {
    if (cas && GetParam() != "register") continue;
    Settings settings = settings_for(GetParam(), cas);
    settings.emplace_back("memory.info-probability", cas ? "0.02" : "0.005");
    const Recorded run = recorded_run(GetParam(), settings, 7, GetParam() == "rate-limit" ? 0.25 : 0.08, 3000);
    const Verdicts verdicts = judged_at_all(workload, run);
    for (const auto& [level, verdict] : verdicts) EXPECT_NE(verdict, Verdict::invalid) << GetParam() << " at " << level;
    expect_ordered(GetParam(), verdicts);
  }
}

INSTANTIATE_TEST_SUITE_P(All, AtEveryLevel, testing::ValuesIn(names()),
                         [](const auto& one) { return words(one.param); });

Verdicts lagging(const std::string& workload, const std::string& replication, bool cas = false) {
  Settings settings = settings_for(workload, cas);
  settings.insert(settings.end(), {{"memory.replication", replication}, {"memory.lag", "20ms"}});
  const Recorded run = recorded_run(workload, settings, 3, 0.4, 2000);
  const Verdicts out = judged_at_all(**find_workload(workload), run);
  expect_ordered(workload, out);
  return out;
}
void expect_at(const Verdicts& verdicts, const std::vector<const char*>& levels, Verdict wanted) {
  for (const char* level : levels) EXPECT_EQ(verdicts.at(level), wanted) << level << " is " << name(verdicts.at(level));
}

TEST(WeakerStores, SequentialRegistersAreNotLinearizable) {
  for (const bool cas : {true, false}) {
    const Verdicts at = lagging("register", "sequential", cas);
    expect_at(at, {"linearizable", "strongest"}, Verdict::invalid);
    EXPECT_NE(at.at("sequential"), Verdict::invalid);  // its search may end undecided
    expect_at(at,
              {"causal-ccv", "causal-cm", "causal-cc", "pram", "monotonic-writes", "writes-follow-reads",
               "monotonic-reads", "read-your-writes"},
              Verdict::valid);
    if (!cas) expect_at(at, {"regular", "k-atomic-1"}, Verdict::invalid);
  }
}

TEST(WeakerStores, EventualRegistersKeepNoSessionGuarantee) {
  const Verdicts at = lagging("register", "eventual");
  expect_at(at,
            {"linearizable", "sequential", "causal-ccv", "causal-cm", "pram", "monotonic-reads", "read-your-writes",
             "regular"},
            Verdict::invalid);
}

// A read is as late as the lag of the store, and no more.
TEST(WeakerStores, AreAsStaleAsTheirLag) {
  for (const char* workload : {"register", "counter", "set"}) {
    for (const char* replication : {"sequential", "eventual"}) {
      Settings settings = settings_for(workload, false);
      settings.insert(settings.end(), {{"memory.replication", replication}, {"memory.lag", "100ms"}});
      const Recorded run = recorded_run(workload, settings, 5, 0.4, 1000);
      const auto at = [&](const std::string& level) {
        return judged_at(**find_workload(workload), run, level).verdict;
      };
      EXPECT_NE(at("bounded-staleness-100ms"), Verdict::invalid) << workload << " " << replication;
      EXPECT_EQ(at("bounded-staleness-1ms"), Verdict::invalid) << workload << " " << replication;
      EXPECT_EQ(at("linearizable"), Verdict::invalid) << workload << " " << replication;
      if (std::string(workload) == "register") {
        EXPECT_EQ(at("bounded-staleness-100ms"), Verdict::valid) << replication;
      }
    }
  }
}

Settings causal_settings(const char* bug) {
  Settings out = settings_for("register", false);
  out.insert(out.end(), {{"register.keys-at-once", "3"},
                         {"memory.replication", "causal"},
                         {"memory.lag", "20ms"},
                         {"memory.bug", bug},
                         {"memory.bug-probability", "0.5"}});
  return out;
}

TEST(WeakerStores, CausalRegistersAreNotSequential) {
  int sequential = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Recorded run = recorded_run("register", causal_settings("none"), seed, 0.15, 2000);
    const auto at = [&](const std::string& level) {
      return judged_at(**find_workload("register"), run, level).verdict;
    };
    for (const char* level :
         {"causal-cc", "causal-ccv", "read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"})
      EXPECT_EQ(at(level), Verdict::valid) << level << " seed " << seed;
    EXPECT_EQ(at("linearizable"), Verdict::invalid) << seed;
    sequential += at("sequential") == Verdict::invalid ? 1 : 0;
  }
  EXPECT_GT(sequential, 0);
}

TEST(WeakerStores, IgnoredDependenciesAreFound) {
  for (const char* bug : {"reorder", "lost-write", "stale-read"}) {
    int found = 0;
    for (std::uint64_t seed = 1; seed <= 8 && found == 0; ++seed) {
      const Recorded run = recorded_run("register", causal_settings(bug), seed, 0.4, 2000);
      found += judged_at(**find_workload("register"), run, "causal-ccv").verdict == Verdict::invalid ? 1 : 0;
    }
    EXPECT_EQ(found, 1) << bug;
  }
}

TEST(WeakerStores, SequentialSetsAndCounters) {
  for (const char* workload : {"set", "counter", "g-set", "pn-counter"}) {
    const Verdicts at = lagging(workload, "sequential");
    EXPECT_EQ(at.at("linearizable"), Verdict::invalid) << workload;
    EXPECT_NE(at.at("sequential"), Verdict::invalid) << workload;
    if (at.contains("causal-cc")) {
      EXPECT_EQ(at.at("causal-cc"), Verdict::valid) << workload;
    }
  }
}

TEST(WeakerStores, EventualSetsAreNotCausal) {
  for (const char* workload : {"set", "causal-reverse", "comments"})
    EXPECT_EQ(lagging(workload, "eventual").at("causal-cc"), Verdict::invalid) << workload;
}

// What converges is not accused of having lost what had not spread yet.
TEST(WeakerStores, RegressEventualSetsAreReadWhenAllHasSpread) {
  for (const char* workload : {"set", "set-full"}) {
    Settings settings = {{"memory.replication", "eventual"}, {"memory.lag", "200ms"}};
    settings.emplace_back(workload + std::string(".consistency"), "eventual");
    settings.emplace_back(workload + std::string(".settle"), "400ms");
    const auto judged = judged_run(workload, settings, 3, 0.3, 2000);
    EXPECT_EQ(judged.verdict, Verdict::valid) << judged.text;
  }
}

Settings eventual_registers(const char* settle, Settings more) {
  more.insert(
      more.end(),
      {{"register.consistency", "eventual"}, {"register.settle", settle}, {"register.operations-per-key", "50"}});
  return more;
}

// Registers that come together in the end, read when they have, are what was promised; others are not.
TEST(WeakerStores, EventualRegistersComeTogetherInTheEnd) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const auto judged = [&](const char* settle, Settings more) {
      return judged_run("register", eventual_registers(settle, std::move(more)), seed, 0.3, 2000, 400);
    };
    const Judged slow = judged("400ms", {{"memory.replication", "eventual"}, {"memory.lag", "300ms"}});
    EXPECT_EQ(slow.verdict, Verdict::valid) << slow.text;
    const Judged never = judged("50ms", {{"memory.replication", "eventual"}, {"memory.lag", "1h"}});
    EXPECT_EQ(never.verdict, Verdict::invalid) << never.text;
    // The first key that shows it: two that differ, or one that still has the initial value.
    EXPECT_THAT(never.anomalies, AnyOf(Contains("divergence"), Contains("stale-read"))) << never.text;
    const Judged bug = judged("50ms", {{"memory.bug", "stale-read"}, {"memory.bug-probability", "0.3"}});
    EXPECT_EQ(bug.verdict, Verdict::invalid) << bug.text;
  }
}

// … within a bound that is longer than replicas lag, and not within a shorter one.
TEST(WeakerStores, EventualRegistersKeepABoundOrBreakIt) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const auto judged = [&](const char* level, const char* lag) {
      return judged_run("register",
                        {{"memory.replication", "eventual"},
                         {"memory.lag", lag},
                         {"register.consistency", level},
                         {"register.settle", "0"},
                         {"register.operations-per-key", "50"}},
                        seed, 0.3, 2000, 400);
    };
    const Judged kept = judged("eventual-1s", "100ms");
    EXPECT_EQ(kept.verdict, Verdict::valid) << kept.text;
    const Judged broken = judged("eventual-100ms", "1h");
    EXPECT_EQ(broken.verdict, Verdict::invalid) << broken.text;
  }
}

// Snapshot isolation in place of serializability.
TEST(WeakerStores, SkewedTransactionsKeepSnapshotIsolation) {
  const Recorded run = recorded_run(
      "list-append", {{"memory.latency", "200us"}, {"memory.bug", "write-skew"}, {"memory.bug-probability", "0.5"}}, 1,
      0.5, 3000);
  const Verdicts at = judged_at_all(**find_workload("list-append"), run);
  expect_at(at, {"serializable", "strict-serializable", "strongest"}, Verdict::invalid);
  expect_at(at, {"snapshot-isolation", "read-committed"}, Verdict::valid);
  expect_ordered("list-append", at);
}

}  // namespace
}  // namespace ordeal
