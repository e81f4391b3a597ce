// Whole runs on the memory target: plan → generator → workers → journal → reader → checkers. Each bug is found by the
// workloads that can see it; the correct store is never accused.

#include <gtest/gtest.h>

#include <algorithm>

#include "checkers/history/reader.h"
#include "harness/runner/run.h"
#include "harness/store/run_directory.h"
#include "targets/catalogue.h"
#include "tests/harness/store/scratch.h"
#include "workloads/catalogue.h"

namespace ordeal {
namespace {

struct Judged {
  Verdict verdict = Verdict::valid;
  std::vector<std::string> anomalies;  // their types
  std::string text;                    // for messages
  OperationCounts counts;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

Judged judged_run(const std::string& workload_name, const Settings& settings, std::uint64_t seed, double seconds,
                  double rate) {
  const Scratch scratch;
  const auto target_factory = find_target("memory");
  const auto workload_factory = find_workload(workload_name);
  ORDEAL_CHECK(target_factory && workload_factory, "the catalogues lack something");
  Options options((*target_factory)->options);
  options.declare((*workload_factory)->options);
  for (const auto& [key, value] : settings) {
    const auto set = options.set(key, value, "test");
    ORDEAL_CHECK(set.has_value(), set ? "" : set.error().message);
  }
  Cluster cluster;
  auto target = (*target_factory)->make(cluster, options);
  auto workload = (*workload_factory)->make({options, 10, seed, seconds});
  auto directory = RunDirectory::create(scratch.path(), "memory-" + workload_name);
  ORDEAL_CHECK(target && workload && directory, "the run could not be set up");
  auto journal = Journal::create(directory->history_path());
  ORDEAL_CHECK(journal.has_value(), "no journal");
  RunLog log;
  RunSetup setup;
  setup.target = std::move(*target);
  setup.target->use((*workload_factory)->data_type);
  setup.workload = &*workload;
  setup.journal = journal->get();
  setup.log = &log;
  setup.time_limit_s = seconds;
  setup.rate = rate;
  setup.seed = seed;
  const auto outcome = run_workload(setup);
  ORDEAL_CHECK(outcome.has_value(), outcome ? "" : outcome.error().message);
  const auto read = read_history_file(directory->history_path());
  ORDEAL_CHECK(read.has_value(), read ? "" : read.error().message);
  Judged out;
  out.counts = outcome->counts;
  for (const auto& [checker, check_options] : workload->checkers) {
    const auto result = checker->check(read->history, check_options);
    out.verdict = merged(out.verdict, result.verdict);
    out.text += result.checker + ": " + std::string(name(result.verdict)) + " " + result.reason + "\n";
    for (const auto& anomaly : result.anomalies) {
      out.anomalies.push_back(anomaly.type);
      out.text += "  " + anomaly.type + ": " + anomaly.explanation + "\n";
    }
  }
  return out;
}

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
  // Set reads carry the whole set, so that workload is kept smaller and the bug made more likely: it shall not be luck that
  // it strikes.
  const bool is_set = GetParam().workload == std::string("set");
  auto settings = with_bug(GetParam().bug);
  if (is_set) settings.insert(settings.end(), {{"set.reads", "0.2"}, {"memory.bug-probability", "0.5"}});
  const auto judged = judged_run(GetParam().workload, settings, 1, 1.0, is_set ? 800 : 3000);
  EXPECT_EQ(judged.verdict, Verdict::invalid) << judged.text;
  EXPECT_FALSE(judged.anomalies.empty());
  EXPECT_GT(judged.counts.ok, 300u);
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
      const auto judged = judged_run(workload, settings, seed, 0.08, 3000);
      EXPECT_EQ(judged.verdict, Verdict::valid) << workload << ", seed " << seed << "\n" << judged.text;
      EXPECT_GT(judged.counts.ok, 20u);
    }
  }
}

}  // namespace
}  // namespace ordeal
