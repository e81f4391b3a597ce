#include <gmock/gmock.h>

#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using testing_support::FaultTest;
using testing_support::in;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProcessFaultTest : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const auto started = target_->start_all();
    ASSERT_TRUE(started) << started.error().message;
  }
  std::unique_ptr<Injection> prepared(const std::string& fault, const std::string& nodes, const std::string& id) {
    set(fault + ".nodes", nodes);
    auto planned = plan(fault, 1, id);
    EXPECT_TRUE(planned);
    const auto done = (*planned)->prepare(in(10));
    EXPECT_TRUE(done) << done.error().message;
    return *std::move(planned);
  }
  int pid(std::size_t node) {
    const auto pids = target_->pids(cluster().at(node));
    EXPECT_TRUE(pids);
    return pids && pids->size() == 1 ? pids->front() : 0;
  }
  std::string state(std::size_t node, int process) {
    return on(node, "sed -n 's/^State:.\\(.\\).*/\\1/p' /proc/" + std::to_string(process) + "/status 2>/dev/null; exit 0");
  }
  static void expect(const Result<Observation>& seen, bool confirmed, const std::string& evidence) {
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(seen->confirmed, confirmed) << seen->evidence;
    EXPECT_THAT(seen->evidence, HasSubstr(evidence));
  }
};

TEST_F(ProcessFaultTest, PauseStopsTheNamedNodesOnlyAndTheUndoLetsThemGoOn) {
  const auto pause = prepared("pause", "n2,n4", "test-1");
  EXPECT_THAT(pause->nodes(), ElementsAre("n2", "n4"));
  ASSERT_TRUE(pause->inject(in(10)));
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(state(i, pid(i)), i == 1 || i == 3 ? "T\n" : "S\n");
  expect(pause->confirm(in(30)), true, "is in state T");
  expect(pause->confirm_healed(in(1)), false, "is still stopped");
  undo(*pause, "pause", "test-1");
  expect(pause->confirm_healed(in(30)), true, "runs, state S");
  expect(pause->confirm(in(1)), false, "is in state S");
  EXPECT_EQ(left_behind(), "");
}

TEST_F(ProcessFaultTest, KillIsProvenAndHealedByStarting) {
  const int before = pid(2);
  const auto kill = prepared("kill", "primaries", "test-1");
  EXPECT_THAT(kill->nodes(), ElementsAre("n3"));
  expect(kill->confirm(in(1)), false, "is still there");
  ASSERT_TRUE(kill->inject(in(10)));
  EXPECT_THAT(state(2, before), AnyOf("", "Z\n")) << "gone, or dead and not yet reaped by the node's init";
  expect(kill->confirm(in(30)), true, "is gone from /proc");
  expect(kill->confirm_healed(in(1)), false, "does not run");
  ASSERT_TRUE(kill->heal(in(10)));
  expect(kill->confirm_healed(in(30)), true, "runs again");
  EXPECT_NE(pid(2), before);
}

// The undo of a pause names the process by id and start: what was killed and started again meanwhile is left alone.
TEST_F(ProcessFaultTest, APausedProcessMayBeKilledAndStartedAgainByAnotherFault) {
  const auto pause = prepared("pause", "n1", "test-1");
  ASSERT_TRUE(pause->inject(in(10)));
  const int paused = pid(0);
  const auto kill = prepared("kill", "n1", "test-2");
  ASSERT_TRUE(kill->inject(in(10)));
  expect(kill->confirm(in(30)), true, "is gone");
  ASSERT_TRUE(kill->heal(in(10)));
  const int successor = pid(0);
  EXPECT_NE(successor, paused);
  // Somebody else stops the successor: not Ordeal's to continue.
  on(0, "kill -STOP " + std::to_string(successor));
  undo(*pause, "pause", "test-1");
  EXPECT_EQ(state(0, successor), "T\n");
  expect(pause->confirm_healed(in(30)), true, "has ended while stopped");
  on(0, "kill -CONT " + std::to_string(successor));
}

TEST_F(ProcessFaultTest, WhatDoesNotRunCannotBePausedAndTheErrorSaysWhere) {
  ASSERT_TRUE(target_->kill(cluster().at(0)));
  set("pause.nodes", "n1");
  auto planned = plan("pause", 1, "test-1");
  ASSERT_TRUE(planned);
  const auto done = (*planned)->prepare(in(10));
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("n1: no process of the target runs there"));
  // Beside a node where it runs, that one is skipped, and the description says so.
  const auto two = prepared("pause", "n1,n2", "test-2");
  EXPECT_THAT(two->nodes(), ElementsAre("n2"));
  EXPECT_THAT(two->describe().to_json(), HasSubstr("n1: no process"));
}

TEST_F(ProcessFaultTest, AProcessThatSomebodyElseStoppedIsNotOurs) {
  on(0, "kill -STOP " + std::to_string(pid(0)));
  const auto pause = prepared("pause", "n1,n2", "test-1");
  EXPECT_THAT(pause->nodes(), ElementsAre("n2"));
  ASSERT_TRUE(pause->inject(in(10)));
  undo(*pause, "pause", "test-1");
  EXPECT_EQ(state(0, pid(0)), "T\n");
  EXPECT_EQ(state(1, pid(1)), "S\n");
}

TEST_F(ProcessFaultTest, RestartKillsAndStartsSeveralTimesAndCountsWhatItSaw) {
  set("restart.times", "3");
  set("restart.after", "50ms");
  const int before = pid(1);
  const auto restart = prepared("restart", "n2", "test-1");
  expect(restart->confirm(in(1)), false, "killed and started 0 times");
  ASSERT_TRUE(restart->inject(in(15)));
  expect(restart->confirm(in(30)), true,
         "killed and started 3 times (3 were planned); 3 times every process was gone from /proc, and 3 times others ran");
  EXPECT_NE(pid(1), before);
  ASSERT_TRUE(target_->kill(cluster().at(1)));
  ASSERT_TRUE(restart->heal(in(10)));
  expect(restart->confirm_healed(in(30)), true, "runs as process");
}

}  // namespace
}  // namespace ordeal
