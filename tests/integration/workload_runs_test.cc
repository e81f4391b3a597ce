// Every workload on the memory target: with a bug that it is there to find, it finds it under its right name; without
// one it accuses nobody, also when outcomes are unknown and operations are refused.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <set>

#include "targets/memory/bugs.h"
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
      {"long-fork", "lost-write", "0.1", {"stale-read"}, {{"long-fork.consistency", "strict-serializable"}}},
      {"causal-reverse", "lost-write", "0.05", {"causal-reverse"}},
      {"comments", "lost-write", "0.05", {"causal-reverse"}},
      {"counter", "lost-write", "0.1", {"nonlinearizable"}},
      {"counter", "lost-write", "0.1", {"counter-out-of-bounds"}, {{"counter.consistency", "bounds"}}},
      {"counter", "duplicate", "0.1", {"nonlinearizable"}, {{"counter.decrements", "true"}, {"counter.max-add", "5"}}},
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
      {"g-set", "lost-write", "0.05", {"lost-element"}},
      {"g-set", "stale-read", "0.5", {"divergence", "lost-element"}},
      {"pn-counter", "duplicate", "0.05", {"wrong-sum"}},
      {"pn-counter", "stale-read", "0.5", {"divergence"}},
      {"idempotency", "duplicate", "0.1", {"applied-twice"}},
      {"idempotency", "lost-write", "0.1", {"lost-element"}},
      {"rate-limit", "lost-write", "0.3", {"too-many-grants"}},
      {"token-bucket", "lost-write", "0.3", {"too-many-grants"}},
      {"token-bucket", "duplicate", "0.5", {"needless-denial"}},
      {"token-bucket", "stale-read", "0.5", {"needless-denial", "tokens-lost"}},
      {"concurrency-limit", "write-skew", "0.1", {"too-many-holders"}},
      {"concurrency-limit", "lost-write", "0.1", {"permits-lost", "needless-denial"}},
      {"concurrency-limit", "duplicate", "0.1", {"permits-lost", "needless-denial"}},
      {"dead-letter", "lost-write", "0.2", {"lost-element"}},
      {"dead-letter", "duplicate", "0.5", {"in-both", "endless-delivery"}},
      {"dead-letter", "write-skew", "0.5", {"endless-delivery"}},
      {"dead-letter", "stale-read", "0.2", {"blocked-message"}},
      {"outbox", "lost-write", "0.1", {"lost-message"}},
      {"outbox", "write-skew", "0.2", {"message-without-change"}},
      {"outbox", "reorder", "0.2", {"reordered"}},
      {"outbox", "stale-read", "0.2", {"lost-element", "message-without-change"}},
      {"outbox", "duplicate", "0.1", {"duplicate-element"}},
      {"overdraft", "write-skew", "0.5", {"overdraft"}},
      {"overdraft", "stale-read", "0.2", {"unexplained-balances"}},
      {"overdraft", "lost-write", "0.1", {"unexplained-balances", "overdraft"}},
      {"ledger", "write-skew", "0.5", {"overdraft"}},
      {"ledger", "stale-read", "0.2", {"stale-read"}},
      {"ledger", "lost-write", "0.1", {"lost-event"}},
      {"ledger", "duplicate", "0.1", {"duplicate-event"}},
      {"ledger", "reorder", "0.2", {"wrong-model"}},
      {"ledger", "stale-read", "0.2", {"lost-event"}, {{"ledger.consistency", "consistent-prefix"}}},
      {"idempotency-keys", "duplicate", "0.2", {"applied-twice"}},
      {"idempotency-keys", "lost-write", "0.1", {"lost-element"}},
      {"idempotency-keys", "write-skew", "0.5", {"key-reused"}},
      {"idempotency-keys",
       "none",
       "0",
       {"applied-twice", "key-reused", "different-answers"},
       {{"memory.key-ttl", "2ms"}, {"idempotency-keys.ttl", "20ms"}}},
      {"saga", "lost-write", "0.1", {"incomplete-saga"}},
      {"saga", "write-skew", "0.3", {"uncompensated-saga"}},
      {"saga", "stale-read", "0.5", {"ledger-mismatch"}},
      {"unique-ids", "duplicate", "0.05", {"duplicate-id"}},
      {"cas-by-version", "write-skew", "0.5", {"aba"}},
      {"cas-by-version", "lost-write", "0.05", {"version-reused", "lost-update"}},
      {"cas-by-version", "stale-read", "0.05", {"stale-read"}},
      {"cas-by-version", "duplicate", "0.05", {"unexpected-version"}},
      {"durability", "lost-write", "0.05", {"lost-element"}},
      {"durability",
       "lost-update",
       "1",
       {"lost-element"},
       {{"memory.partition-every", "40ms"}, {"memory.partition-for", "40ms"}}},
      {"ordered-ids", "stale-read", "0.05", {"id-went-back"}},
      {"ordered-ids", "duplicate", "0.05", {"duplicate-id"}},
      {"read-model", "stale-read", "0.1", {"stale-token"}},
      {"read-model", "lost-write", "0.05", {"duplicate-position"}},
      {"read-model", "duplicate", "0.05", {"duplicate-element"}},
      {"read-model", "reorder", "0.1", {"different-states", "divergent-states"}},
      {"log", "lost-write", "0.05", {"forked-log"}},
      {"log", "duplicate", "0.2", {"duplicate-element"}},
      {"log", "reorder", "0.1", {"forked-log"}},
      {"log", "stale-read", "0.1", {"stale-read", "lost-element"}},
      {"log", "forged-head", "0.1", {"wrong-root", "forked-head"}},
      {"log", "fork", "0.2", {"forked-head", "wrong-root"}},
      {"or-set", "lost-write", "0.1", {"lost-element", "kept-element", "resurrected-element"}},
      {"or-set", "stale-read", "0.3", {"divergence", "lost-element"}},
      {"or-set", "duplicate", "0.05", {"duplicate-element"}},
      {"or-set", "write-skew", "0.8", {"lost-element"}},
      {"lww-map", "lost-write", "0.1", {"wrong-winner", "resurrected-element", "value-went-back"}},
      {"lww-map", "stale-read", "0.3", {"divergence", "wrong-winner", "value-went-back"}},
      {"lww-map", "reorder", "0.5", {"wrong-winner", "value-went-back", "resurrected-element"}},
      {"lww-map", "write-skew", "0.5", {"resurrected-element", "value-went-back"}},
      {"set-full", "stale-read", "0.2", {"stale-read", "revived-element"}},
      {"set-full", "lost-write", "0.05", {"lost-element"}},
      {"set-full", "duplicate", "0.05", {"duplicate-element"}},
  };
  return all;
}

// Bounds and settling times that fit runs of a fraction of a second.
Settings short_times(std::string_view workload) {
  if (workload == "ordered-ids") return {{"ordered-ids.tolerance", "10ms"}};
  if (workload == "read-model") return {{"read-model.lag", "20ms"}, {"read-model.operations-per-key", "100"}};
  if (workload == "durability" || workload == "ledger" || workload == "or-set" || workload == "lww-map")
    return {{std::string(workload) + ".settle", "20ms"}};
  return {};
}

// Whether it waits before its final phase for what a run of a fraction of a second does not have.
bool settles(const std::string& workload) {
  const auto found = find_workload(workload);
  const auto& options = (*found)->options;
  return std::any_of(options.begin(), options.end(),
                     [&](const OptionSpec& one) { return one.key == workload + ".settle"; });
}

class BuggyStore : public testing::TestWithParam<Case> {};

TEST_P(BuggyStore, IsFound) {
  const Case& one = GetParam();
  Settings settings = one.settings;
  if (settles(one.workload)) settings.emplace_back(std::string(one.workload) + ".settle", "1ms");
  for (const auto& more : short_times(one.workload)) settings.push_back(more);
  settings.insert(settings.end(),
                  {{"memory.bug", one.bug}, {"memory.bug-probability", one.probability}, {"memory.latency", "200us"}});
  auto judged = judged_run(one.workload, settings, 1, 0.3, 3000);
  // It may hide by chance: amounts that were added twice make a sum of zero.
  for (std::uint64_t seed = 2; seed < 4 && judged.verdict == Verdict::valid; ++seed)
    judged = judged_run(one.workload, settings, seed, 0.3, 3000);
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

// What every run of these tests wants: nothing to wait for in the final phase.
Settings quick(const std::string& workload) {
  Settings settings = {{"memory.latency", "200us"}};
  if (settles(workload)) settings.emplace_back(workload + ".settle", "1ms");
  for (const auto& more : short_times(workload)) settings.push_back(more);
  return settings;
}

// A bug that leaves clients something to see which the workload's promise allows.
struct Allowed {
  const char* workload;
  const char* bug;
  const char* why;
};
const std::vector<Allowed>& allowed() {
  static const std::vector<Allowed> all = {
      {"durability", "stale-read", "a read may be late; what another final read shows is not lost"},
      {"durability", "duplicate", "how often an element is there is not promised"},
      {"total-queue", "reorder", "no order is promised"},
      {"long-fork", "lost-write", "a read may be late for ever; the level strict-serializable finds it"},
      {"long-fork", "lost-update", "a read may be late for ever; the level strict-serializable finds it"},
      {"long-fork", "duplicate", "each key is written once, and the same value again changes nothing"},
      {"long-fork", "write-skew", "no transaction both reads and writes"},
  };
  return all;
}

// Every bug of the memory target on every workload whose data it strikes; prints what was found. A bug that is not
// found is listed in allowed() with the reason, or the test fails.
TEST(BugMatrix, EveryBugThatClientsCanSeeIsFound) {
  std::size_t found = 0, tried = 0;
  for (const WorkloadFactory& workload : workloads()) {
    std::string line = workload.name + std::string(workload.name.size() < 16 ? 16 - workload.name.size() : 1, ' ');
    for (const std::string& bug : memory::bugs_of(workload.data_type)) {
      const auto excuse = std::find_if(allowed().begin(), allowed().end(), [&](const Allowed& one) {
        return workload.name == one.workload && bug == one.bug;
      });
      Settings settings = quick(workload.name);
      settings.insert(settings.end(), {{"memory.bug", bug},
                                       {"memory.bug-probability", bug == "write-skew" ? "0.5" : "0.2"},
                                       {"memory.partition-every", "40ms"},
                                       {"memory.partition-for", "40ms"}});
      std::string outcome;
      for (std::uint64_t seed = 1; seed <= 3 && outcome.empty(); ++seed) {
        const auto judged = judged_run(workload.name, settings, seed, 0.3, 3000);
        if (judged.verdict == Verdict::invalid) outcome = judged.anomalies.front();
      }
      ++tried;
      found += outcome.empty() ? 0 : 1;
      if (outcome.empty() && excuse == allowed().end()) ADD_FAILURE() << workload.name << " does not find " << bug;
      if (outcome.empty()) outcome = excuse == allowed().end() ? "NOT FOUND" : std::string("allowed: ") + excuse->why;
      line += " " + bug + "=" + outcome;
    }
    std::cout << line << "\n";
  }
  std::cout << found << " of " << tried << " found\n";
}

// How many seeds the correct store is tried with: a few, or what $ORDEAL_SEEDS says.
std::uint64_t seeds() {
  const char* asked = std::getenv("ORDEAL_SEEDS");
  return asked == nullptr ? 4 : std::strtoull(asked, nullptr, 10);
}

class CorrectStore : public testing::TestWithParam<std::string> {};

TEST_P(CorrectStore, IsNeverAccused) {
  for (std::uint64_t seed = 0; seed < seeds(); ++seed) {
    Settings settings = quick(GetParam());
    if (seed % 2 == 1) {
      settings.insert(settings.end(), {{"memory.info-probability", "0.01"}, {"memory.fail-probability", "0.05"}});
    }
    // A rate limit shows when its window is over. On a busy machine so short a run may show too little.
    double seconds = GetParam() == "rate-limit" || GetParam() == "token-bucket" ? 0.25 : 0.06;
    auto judged = judged_run(GetParam(), settings, seed, seconds, 3000, 11);
    while (judged.verdict == Verdict::unknown && seconds < 4) {
      judged = judged_run(GetParam(), settings, seed, seconds *= 4, 3000, 11);
    }
    EXPECT_EQ(judged.verdict, Verdict::valid) << "seed " << seed << "\n" << judged.text;
    EXPECT_GT(judged.ok, 10u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CorrectStore, testing::ValuesIn(names()),
                         [](const auto& one) { return words(one.param); });

}  // namespace
}  // namespace ordeal
