#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::FaultTest;

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
    const auto done = (*planned)->prepare(Deadline::after_s(60));
    EXPECT_TRUE(done) << done.error().message;
    return *std::move(planned);
  }
  int pid(std::size_t node) {
    const auto pids = target_->pids(cluster().at(node));
    EXPECT_TRUE(pids);
    return pids && pids->size() == 1 ? pids->front() : 0;
  }
  std::string state(std::size_t node, int process) {
    return on(node,
              "sed -n 's/^State:.\\(.\\).*/\\1/p' /proc/" + std::to_string(process) + "/status 2>/dev/null; exit 0");
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
  ASSERT_TRUE(pause->inject(Deadline::after_s(60)));
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(state(i, pid(i)), i == 1 || i == 3 ? "T\n" : "S\n");
  expect(pause->confirm(Deadline::after_s(30)), true, "is in state T");
  expect(testing_support::shortly(1, [&](Deadline limit) { return pause->confirm_healed(limit); }), false,
         "is still stopped");
  undo(*pause, "pause", "test-1");
  expect(pause->confirm_healed(Deadline::after_s(30)), true, "runs, state S");
  expect(testing_support::shortly(1, [&](Deadline limit) { return pause->confirm(limit); }), false, "is in state S");
  EXPECT_EQ(remains(), "");
}

TEST_F(ProcessFaultTest, KillIsProvenAndHealedByStarting) {
  const int before = pid(2);
  const auto kill = prepared("kill", "primaries", "test-1");
  EXPECT_THAT(kill->nodes(), ElementsAre("n3"));
  expect(testing_support::shortly(1, [&](Deadline limit) { return kill->confirm(limit); }), false, "is still there");
  ASSERT_TRUE(kill->inject(Deadline::after_s(60)));
  EXPECT_THAT(state(2, before), AnyOf("", "Z\n")) << "gone, or dead and not yet reaped by the node's init";
  expect(kill->confirm(Deadline::after_s(30)), true, "is gone from /proc");
  expect(testing_support::shortly(1, [&](Deadline limit) { return kill->confirm_healed(limit); }), false,
         "does not run");
  ASSERT_TRUE(kill->heal(Deadline::after_s(60)));
  expect(kill->confirm_healed(Deadline::after_s(30)), true, "runs again");
  EXPECT_NE(pid(2), before);
}

// The undo of a pause names the process by id and start: what was killed and started again meanwhile is left alone.
TEST_F(ProcessFaultTest, APausedProcessMayBeKilledAndStartedAgainByAnotherFault) {
  const auto pause = prepared("pause", "n1", "test-1");
  ASSERT_TRUE(pause->inject(Deadline::after_s(60)));
  const int paused = pid(0);
  const auto kill = prepared("kill", "n1", "test-2");
  ASSERT_TRUE(kill->inject(Deadline::after_s(60)));
  expect(kill->confirm(Deadline::after_s(30)), true, "is gone");
  ASSERT_TRUE(kill->heal(Deadline::after_s(60)));
  const int successor = pid(0);
  EXPECT_NE(successor, paused);
  // Somebody else stops the successor: not Ordeal's to continue.
  on(0, "kill -STOP " + std::to_string(successor));
  undo(*pause, "pause", "test-1");
  EXPECT_EQ(state(0, successor), "T\n");
  expect(pause->confirm_healed(Deadline::after_s(30)), true, "has ended while stopped");
  on(0, "kill -CONT " + std::to_string(successor));
}

TEST_F(ProcessFaultTest, WhatDoesNotRunCannotBePausedAndTheErrorSaysWhere) {
  ASSERT_TRUE(target_->kill(cluster().at(0)));
  set("pause.nodes", "n1");
  auto planned = plan("pause", 1, "test-1");
  ASSERT_TRUE(planned);
  const auto done = (*planned)->prepare(Deadline::after_s(60));
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
  ASSERT_TRUE(pause->inject(Deadline::after_s(60)));
  undo(*pause, "pause", "test-1");
  EXPECT_EQ(state(0, pid(0)), "T\n");
  EXPECT_THAT(state(1, pid(1)), AnyOf("S\n", "R\n"));
}

TEST_F(ProcessFaultTest, RestartKillsAndStartsSeveralTimesAndCountsWhatItSaw) {
  set("restart.times", "3");
  set("restart.after", "50ms");
  const int before = pid(1);
  const auto restart = prepared("restart", "n2", "test-1");
  expect(testing_support::shortly(1, [&](Deadline limit) { return restart->confirm(limit); }), false,
         "killed and started 0 times");
  ASSERT_TRUE(restart->inject(Deadline::after_s(15)));
  expect(
      restart->confirm(Deadline::after_s(30)), true,
      "killed and started 3 times (3 were planned); 3 times every process was gone from /proc, and 3 times others ran");
  EXPECT_NE(pid(1), before);
  ASSERT_TRUE(target_->kill(cluster().at(1)));
  ASSERT_TRUE(restart->heal(Deadline::after_s(60)));
  expect(restart->confirm_healed(Deadline::after_s(30)), true, "runs again as process");
}

TEST_F(ProcessFaultTest, AKillBySignalIsThatSignalAndWhatSurvivesItIsKilledWhenHealed) {
  // A program that says which signal it got; it survives TERM, and ends with ABRT.
  const testing_support::ProgramTarget::Program deaf = {
      "setsid sh -c 'trap \"echo TERM >>/var/log/heard\" TERM; trap \"echo ABRT >>/var/log/heard; exit 0\" ABRT; "
      "while :; do sleep 0.05; done' deaf-program </dev/null >/dev/null 2>&1 & "
      "for i in 1 2 3 4 5 6 7 8 9 10; do pgrep -f '[d]eaf-program' >/dev/null && break; sleep 0.05; done; sleep 0.1",
      testing_support::found_by("deaf-program")};
  testing_support::ProgramTarget target(cluster(), deaf);
  ASSERT_TRUE(target.start(cluster().at(0)));
  set("kill.nodes", "n1");
  const auto inject = [&](const std::string& signal, const std::string& id) {
    set("kill.signal", signal);
    std::mt19937_64 random(1);
    auto planned = (*find_fault("kill"))->plan({cluster(), target, options_, id}, random);
    EXPECT_TRUE(planned);
    EXPECT_TRUE((*planned)->prepare(Deadline::after_s(60)));
    EXPECT_TRUE((*planned)->inject(Deadline::after_s(60)));
    return *std::move(planned);
  };
  const auto term = inject("TERM", "test-1");
  EXPECT_THAT(term->describe().to_json(), HasSubstr("\"signal\":\"TERM\""));
  expect(testing_support::shortly(0.6, [&](Deadline limit) { return term->confirm(limit); }), false, "is still there");
  EXPECT_EQ(on(0, "cat /var/log/heard"), "TERM\n");
  ASSERT_TRUE(term->heal(Deadline::after_s(60)));
  expect(term->confirm_healed(Deadline::after_s(30)), true, "runs again as process");
  expect(term->confirm(Deadline::after_s(30)), true, "something else than Ordeal has started");
  const auto abort = inject("ABRT", "test-2");
  expect(abort->confirm(Deadline::after_s(30)), true, "is gone from /proc");
  EXPECT_EQ(on(0, "cat /var/log/heard"), "TERM\nABRT\n");
  ASSERT_TRUE(abort->heal(Deadline::after_s(60)));
  ASSERT_TRUE(target.kill(cluster().at(0)));
}

TEST_F(ProcessFaultTest, KilledAtStartupIsKilledTwiceAndItsAgeIsTold) {
  set("kill.at", "startup");
  set("kill.after", "200ms");
  const int before = pid(1);
  const auto kill = prepared("kill", "n2", "test-1");
  EXPECT_THAT(kill->describe().to_json(), HasSubstr("\"after_s\":0.2"));
  ASSERT_TRUE(kill->inject(Deadline::after_s(15)));
  const auto seen = kill->confirm(Deadline::after_s(60));
  expect(seen, true, "ms after its start; it is gone from /proc");
  const std::size_t at = seen->evidence.find("killed ");
  ASSERT_NE(at, std::string::npos);
  const double age_ms = std::atof(seen->evidence.c_str() + at + 7);
  EXPECT_GE(age_ms, 200);
  EXPECT_LT(age_ms, 5000);
  EXPECT_EQ(seen->evidence.find("process " + std::to_string(before) + " "), std::string::npos)
      << "it was another process";
  EXPECT_TRUE(target_->pids(cluster().at(1))->empty());
  ASSERT_TRUE(kill->heal(Deadline::after_s(60)));
  expect(kill->confirm_healed(Deadline::after_s(60)), true, "runs again");
}

TEST_F(ProcessFaultTest, StartupKillsOnlyWithKill) {
  set("kill.at", "startup");
  set("kill.signal", "TERM");
  EXPECT_THAT((*find_fault("kill"))->inapplicable(context()), HasSubstr("kill.at=startup kills with SIGKILL only"));
}

TEST_F(ProcessFaultTest, ACrashKillsAllNodesAtOneMoment) {
  const auto crash = prepared("crash", "all", "test-1");
  EXPECT_THAT(crash->nodes(), ElementsAre("n1", "n2", "n3", "n4", "n5"));
  arm(*crash, "crash", "test-1");
  expect(testing_support::shortly(0.5, [&](Deadline limit) { return crash->confirm(limit); }), false, "is still there");
  const auto done = crash->inject(Deadline::after_s(20));
  ASSERT_TRUE(done) << done.error().message;
  expect(crash->confirm(Deadline::after_s(20)), true, "5 processes were killed within ");
  for (std::size_t i = 0; i < 5; ++i) EXPECT_THAT(*target_->pids(cluster().at(i)), ElementsAre());
  undo(*crash, "crash", "test-1");
  ASSERT_TRUE(crash->heal(Deadline::after_s(60)));
  expect(crash->confirm_healed(Deadline::after_s(30)), true, "runs again");
  EXPECT_EQ(remains(), "");
}

// What a watchdog does when the controller is gone: the node knows how to start the target.
TEST_F(ProcessFaultTest, TheUndoOfAKillStartsTheTargetWhereItHasACommandForThat) {
  EXPECT_THAT(prepared("kill", "n1", "test-1")->undo(), ::testing::IsEmpty()) << "this target has none";
  target_->offer_start_script = true;
  for (const char* fault : {"kill", "restart", "crash"}) {
    const auto ended = prepared(fault, "n1", "test-2");
    ASSERT_TRUE(target_->kill(cluster().at(0)));
    for (int i = 0; i < 100 && !target_->pids(cluster().at(0))->empty(); ++i) on(0, "sleep 0.02");
    undo(*ended, fault, "test-2");
    const int started = pid(0);
    EXPECT_NE(started, 0) << fault;
    EXPECT_EQ(on(0, "readlink /proc/" + std::to_string(started) + "/cwd; grep Umask /proc/" + std::to_string(started) +
                        "/status"),
              "/\nUmask:\t0022\n");
    undo(*ended, fault, "test-2");
    EXPECT_EQ(pid(0), started) << fault << ": it runs already";
  }
}

// Control groups of this machine, seen in a local node, which has none by itself.
class GroupTest : public ProcessFaultTest {
 protected:
  void SetUp() override {
    ProcessFaultTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    service_ = make_group("cgroup2");
    if (service_.empty() || on(0, "[ -e " + service_ + "/cgroup.freeze ] || echo none") != "") {
      GTEST_SKIP() << "no cgroups of version 2 that can be frozen here";
    }
    on(0, "echo " + std::to_string(pid(0)) + " >" + service_ + "/cgroup.procs");
  }
  std::string group(int process) { return on(0, "sed -n 's/^0:://p' /proc/" + std::to_string(process) + "/cgroup"); }

  std::string service_;
};

TEST_F(GroupTest, APauseFreezesTheGroupAndPutsEverythingBack) {
  const int process = pid(0);
  const std::string own = group(process);
  const std::string before = groups();
  EXPECT_THAT(own, HasSubstr("/service\n"));
  const auto pause = prepared("pause", "n1,n2", "test-1");
  EXPECT_THAT(pause->describe().to_json(), HasSubstr("\"n1\":\"freezer (cgroup v2)\",\"n2\":\"signal\""));
  arm(*pause, "pause", "test-1");
  const auto done = pause->inject(Deadline::after_s(60));
  ASSERT_TRUE(done) << done.error().message;
  expect(pause->confirm(Deadline::after_s(60)), true, "is frozen, as the kernel says of its group");
  EXPECT_THAT(group(process), HasSubstr("/service/ordeal-test-1\n"));
  EXPECT_EQ(state(0, process), "S\n") << "no signal";
  expect(testing_support::shortly(0.5, [&](Deadline limit) { return pause->confirm_healed(limit); }), false,
         "is still there");
  undo(*pause, "pause", "test-1");
  expect(pause->confirm_healed(Deadline::after_s(60)), true, "runs, state S");
  EXPECT_EQ(group(process), own);
  EXPECT_EQ(groups(), before);
  undo(*pause, "pause", "test-1");  // once more: nothing
  EXPECT_EQ(group(process), own);
  EXPECT_EQ(remains(), "");
}

// It stands still: a program that counts does not; and what is frozen can be killed.
TEST_F(GroupTest, WhatIsFrozenDoesNothingAndCanBeKilled) {
  const testing_support::ProgramTarget::Program counting = {
      "setsid sh -c 'while :; do echo >>/var/log/counted; sleep 0.02; done' counting-program </dev/null >/dev/null "
      "2>&1 &",
      testing_support::found_by("counting-program")};
  testing_support::ProgramTarget target(cluster(), counting);
  on(0, "echo $$ >" + service_ + "/cgroup.procs; " + counting.start + " sleep 0.2");
  set("pause.nodes", "n1");
  set("pause.mechanism", "freezer");
  std::mt19937_64 random(1);
  auto pause = (*find_fault("pause"))->plan({cluster(), target, options_, "test-1"}, random);
  ASSERT_TRUE(pause);
  ASSERT_TRUE((*pause)->prepare(Deadline::after_s(60)));
  const std::string counted = "wc -l </var/log/counted";
  ASSERT_TRUE((*pause)->inject(Deadline::after_s(60)));
  expect((*pause)->confirm(Deadline::after_s(60)), true, "is frozen");
  const std::string at_first = on(0, counted);
  EXPECT_EQ(on(0, "sleep 0.3; " + counted), at_first);
  undo(**pause, "pause", "test-1");
  EXPECT_NE(on(0, "sleep 0.3; " + counted), at_first);
  ASSERT_TRUE((*pause)->inject(Deadline::after_s(60)));
  expect((*pause)->confirm(Deadline::after_s(60)), true, "is frozen");
  ASSERT_TRUE(target.kill(cluster().at(0)));
  for (int i = 0; i < 100 && !target.pids(cluster().at(0))->empty(); ++i) on(0, "sleep 0.02");
  EXPECT_THAT(*target.pids(cluster().at(0)), ElementsAre());
  undo(**pause, "pause", "test-1");
  expect((*pause)->confirm_healed(Deadline::after_s(60)), true, "has ended while stopped");
  EXPECT_EQ(groups(), group_home_ + "\n" + service_ + "\n");
}

TEST_F(ProcessFaultTest, WithoutAFreezerItIsASignalOrRefusedAndTheReasonIsTold) {
  set("pause.mechanism", "freezer");
  set("pause.nodes", "n1");
  auto planned = plan("pause", 1, "test-1");
  ASSERT_TRUE(planned);
  const auto done = (*planned)->prepare(Deadline::after_s(60));
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("n1: pause.mechanism=freezer: no cgroup that could do it is mounted"));
}

}  // namespace
}  // namespace ordeal
