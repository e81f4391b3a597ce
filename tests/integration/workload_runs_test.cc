// Every workload on the memory target: with a bug that it is there to find, it finds it under its right name; without
// one it accuses nobody, also when outcomes are unknown and operations are refused.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/integration/memory_run.h"
#include "workloads/catalogue.h"

namespace ordeal {
namespace {

struct Case {
  const char* workload;
  const char* bug;
  const char* probability;
  std::set<std::string> anomalies;  // one of them must be found
  Settings settings = {};           // of the workload
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"bank", "stale-read", "0.05", {"wrong-total"}},
      {"bank", "lost-write", "0.05", {"wrong-total"}},
      {"g2", "write-skew", "0.2", {"G2-predicate"}},
      {"list-append", "stale-read", "0.05", {"G-single", "G-single-realtime"}},
      {"list-append", "duplicate", "0.02", {"duplicate-elements"}},
      {"rw-register", "lost-write", "0.05", {"G-single", "G-single-realtime", "lost-update"}},
      {"write-skew", "write-skew", "0.5", {"G2-item"}},
      {"long-fork", "stale-read", "0.3", {"long-fork"}},
      {"causal-reverse", "lost-write", "0.05", {"causal-reverse"}},
      {"comments", "lost-write", "0.05", {"causal-reverse"}},
      {"counter", "lost-write", "0.1", {"counter-out-of-bounds"}},
      {"counter",
       "duplicate",
       "0.1",
       {"counter-out-of-bounds"},
       {{"counter.decrements", "true"}, {"counter.max-add", "5"}}},
      {"queue", "duplicate", "0.05", {"duplicate-element"}},
      {"queue", "stale-read", "0.05", {"duplicate-element"}},
      {"total-queue", "lost-write", "0.05", {"lost-element"}},
      {"delivery", "reorder", "0.05", {"reordered"}},
      {"delivery", "duplicate", "0.05", {"duplicate-element"}},
      {"kafka", "lost-write", "0.05", {"poll-skip", "int-poll-skip", "lost-write"}},
      {"kafka", "duplicate", "0.05", {"duplicate-message"}},
      {"kafka", "stale-read", "0.05", {"nonmonotonic-poll"}},
      {"kafka", "reorder", "0.2", {"int-nonmonotonic-poll"}},
      {"monotonic", "stale-read", "0.05", {"value-reorder"}},
      {"sequential", "lost-write", "0.1", {"skipped-write"}},
      {"lock", "duplicate", "0.1", {"two-holders"}},
      {"lock", "reorder", "0.1", {"token-went-back"}},
      {"leader-election", "duplicate", "0.1", {"two-holders"}},
      {"leader-election", "write-skew", "0.1", {"two-leaders"}},
      {"leader-election", "stale-read", "0.1", {"term-went-back"}},
      {"g-set", "lost-write", "0.05", {"lost-element"}, {{"g-set.settle", "1ms"}}},
      {"g-set", "stale-read", "0.5", {"divergence", "lost-element"}, {{"g-set.settle", "1ms"}}},
      {"pn-counter", "duplicate", "0.05", {"wrong-sum"}, {{"pn-counter.settle", "1ms"}}},
      {"pn-counter", "stale-read", "0.5", {"divergence"}, {{"pn-counter.settle", "1ms"}}},
      {"idempotency", "duplicate", "0.1", {"applied-twice"}},
      {"idempotency", "lost-write", "0.1", {"lost-element"}},
      {"rate-limit", "lost-write", "0.3", {"too-many-grants"}},
      {"saga", "lost-write", "0.1", {"incomplete-saga"}},
      {"saga", "write-skew", "0.3", {"uncompensated-saga"}},
      {"saga", "stale-read", "0.5", {"ledger-mismatch"}},
      {"unique-ids", "duplicate", "0.05", {"duplicate-id"}},
      {"set-full", "stale-read", "0.2", {"stale-read", "revived-element"}},
      {"set-full", "lost-write", "0.05", {"lost-element"}},
      {"set-full", "duplicate", "0.05", {"duplicate-element"}},
  };
  return all;
}

class BuggyStore : public testing::TestWithParam<Case> {};

TEST_P(BuggyStore, IsFound) {
  const Case& one = GetParam();
  Settings settings = one.settings;
  settings.insert(settings.end(),
                  {{"memory.bug", one.bug}, {"memory.bug-probability", one.probability}, {"memory.latency", "200us"}});
  const auto judged = judged_run(one.workload, settings, 1, 0.3, 3000);
  EXPECT_EQ(judged.verdict, Verdict::invalid) << judged.text;
  EXPECT_TRUE(std::any_of(judged.anomalies.begin(), judged.anomalies.end(), [&](const std::string& type) {
    return one.anomalies.contains(type);
  })) << judged.text;
}

std::string words(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

INSTANTIATE_TEST_SUITE_P(All, BuggyStore, testing::ValuesIn(cases()), [](const auto& one) {
  return words(std::string(one.param.workload) + "_" + one.param.bug + "_" + std::to_string(one.index));
});

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& factory : workloads()) out.push_back(factory.name);
  return out;
}

class CorrectStore : public testing::TestWithParam<std::string> {};

TEST_P(CorrectStore, IsNeverAccused) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    Settings settings = {{"memory.latency", "200us"}};
    if (GetParam() == "g-set" || GetParam() == "pn-counter") settings.emplace_back(GetParam() + ".settle", "1ms");
    if (seed % 2 == 1) {
      settings.insert(settings.end(), {{"memory.info-probability", "0.01"}, {"memory.fail-probability", "0.05"}});
    }
    // A rate limit shows when its window is over.
    const auto judged = judged_run(GetParam(), settings, seed, GetParam() == "rate-limit" ? 0.25 : 0.06, 3000);
    EXPECT_EQ(judged.verdict, Verdict::valid) << "seed " << seed << "\n" << judged.text;
    EXPECT_GT(judged.ok, 10u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CorrectStore, testing::ValuesIn(names()),
                         [](const auto& one) { return words(one.param); });

TEST(WorkloadsCatalogue, NoWorkloadIsLeftOut) {
  std::set<std::string> tried = {"register", "set"};  // memory_runs_test
  for (const Case& one : cases()) tried.insert(one.workload);
  for (const auto& factory : workloads()) EXPECT_TRUE(tried.contains(factory.name)) << factory.name;
}

}  // namespace
}  // namespace ordeal
