// Whole runs on the memory target: plan → generator → workers → journal → reader → checkers. Each bug is found by the
// workloads that can see it; the correct store is never accused.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/integration/memory_run.h"

namespace ordeal {
namespace {

Settings with_bug(const std::string& bug) {
  return {{"memory.bug", bug},
          {"memory.partition-every", "60ms"},
          {"memory.partition-for", "30ms"},
          {"memory.latency", "200us"}};
}

struct Case {
  const char* workload;
  const char* bug;
};

class BuggyStore : public testing::TestWithParam<Case> {};

TEST_P(BuggyStore, IsFound) {
  // Set reads carry the whole set, so that workload is kept smaller and the bug made more likely: it shall not be luck
  // that it strikes.
  const bool is_set = GetParam().workload == std::string("set");
  auto settings = with_bug(GetParam().bug);
  if (is_set) settings.insert(settings.end(), {{"set.reads", "0.2"}, {"memory.bug-probability", "0.5"}});
  const auto judged = judged_run(GetParam().workload, settings, 1, 1.0, is_set ? 800 : 3000);
  EXPECT_EQ(judged.verdict, Verdict::invalid) << judged.text;
  EXPECT_FALSE(judged.anomalies.empty());
  EXPECT_GT(judged.ok, 300u);
}

INSTANTIATE_TEST_SUITE_P(All, BuggyStore,
                         testing::Values(Case{"register", "stale-read"}, Case{"register", "lost-write"},
                                         Case{"register", "lost-update"}, Case{"register", "duplicate"},
                                         Case{"set", "stale-read"}, Case{"set", "lost-write"},
                                         Case{"set", "lost-update"}, Case{"set", "duplicate"}),
                         [](const auto& one) {
                           std::string name = std::string(one.param.workload) + "_" + one.param.bug;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(CorrectStore, IsNeverAccused) {
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    for (const char* workload : {"register", "set"}) {
      // Odd seeds: operations that nobody knows the outcome of, and refused ones.
      const Settings settings = seed % 2 == 0 ? Settings{{"memory.latency", "100us"}}
                                              : Settings{{"memory.latency", "100us"},
                                                         {"memory.info-probability", "0.01"},
                                                         {"memory.fail-probability", "0.05"}};
      const auto judged = judged_run(workload, settings, seed, 0.08, 3000, 21);
      EXPECT_EQ(judged.verdict, Verdict::valid) << workload << ", seed " << seed << "\n" << judged.text;
      EXPECT_GT(judged.ok, 20u);
    }
  }
}

}  // namespace
}  // namespace ordeal
