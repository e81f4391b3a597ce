// Target log as a user runs it: the correct build is valid while nodes are killed, and planted bugs are found.

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/value.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

std::string run(const std::vector<std::string>& more) {
  const TemporaryDirectory directory;
  std::vector<std::string> words = {ORDEAL_PROGRAM, "run", "--json", "--target", "log", "--nodes", "local:3"};
  words.insert(words.end(), more.begin(), more.end());
  const ProgramResult result = run_program(words, std::chrono::seconds(100), {}, directory.path());
  const auto document = Value::from_json(result.out);
  const Value* verdict = document ? document->find("verdict") : nullptr;
  return verdict != nullptr && verdict->is_string() ? verdict->string() : result.out + result.err;
}

class LogRun : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "local nodes need root";
  }
};

TEST_F(LogRun, CorrectWhileNodesAreKilled) {
  EXPECT_EQ(run({"--workload", "list-append", "--seed", "1", "--time-limit", "10", "--nemesis", "kill",
                 "--nemesis-interval", "2", "--nemesis-duration", "1"}),
            "valid");
}

struct PlantedBug {
  const char* name;
  const char* workload;
  std::vector<std::string> more;
};
class LogBug : public LogRun, public ::testing::WithParamInterface<PlantedBug> {};

// A bug of timing strikes when it gets the chance: on a busy machine five seconds may pass without one.
TEST_P(LogBug, IsFoundWithinThreeRuns) {
  std::vector<std::string> verdicts;
  for (const char* seed : {"1", "2", "3"}) {
    std::vector<std::string> words = {"--workload",   GetParam().workload,
                                      "--time-limit", "5",
                                      "--seed",       seed,
                                      "--set",        std::string("log.bug=") + GetParam().name};
    words.insert(words.end(), GetParam().more.begin(), GetParam().more.end());
    verdicts.push_back(run(words));
    if (verdicts.back() == "invalid") return;
    EXPECT_EQ(verdicts.back(), "valid");
  }
  ADD_FAILURE() << GetParam().name << ": three runs were valid";
}

// Ten clients that compare and set one of two values at the same time.
const std::vector<std::string> kRivals = {
    "--set", "register.workers-per-key=10",   "--set", "register.range=2", "--set", "register.cas=3",
    "--set", "register.operations-per-key=30"};

INSTANTIATE_TEST_SUITE_P(Planted, LogBug,
                         ::testing::Values(PlantedBug{"counter_loses_adds", "counter", {}},
                                           PlantedBug{"cas_before_order", "register", kRivals},
                                           PlantedBug{"reads_before_order", "list-append", {}},
                                           PlantedBug{"proxy_sends_twice", "total-queue", {}},
                                           PlantedBug{"ids_from_the_node", "unique-ids", {}}),
                         [](const auto& planted) { return std::string(planted.param.name); });

}  // namespace
}  // namespace ordeal::testing
