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

class LogBug : public LogRun, public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};

// A bug of timing strikes when it gets the chance: on a busy machine five seconds may pass without one.
TEST_P(LogBug, IsFoundWithinThreeRuns) {
  std::vector<std::string> verdicts;
  for (const char* seed : {"1", "2", "3"}) {
    verdicts.push_back(run({"--workload", GetParam().second, "--time-limit", "5", "--seed", seed, "--set",
                            std::string("log.bug=") + GetParam().first}));
    if (verdicts.back() == "invalid") return;
    EXPECT_EQ(verdicts.back(), "valid");
  }
  ADD_FAILURE() << GetParam().first << ": three runs were valid";
}

INSTANTIATE_TEST_SUITE_P(Planted, LogBug,
                         ::testing::Values(std::pair("counter_loses_adds", "counter"),
                                           std::pair("cas_before_order", "register"),
                                           std::pair("reads_before_order", "list-append"),
                                           std::pair("proxy_sends_twice", "total-queue"),
                                           std::pair("ids_from_the_node", "unique-ids")),
                         [](const auto& planted) { return std::string(planted.param.first); });

}  // namespace
}  // namespace ordeal::testing
