// Too little time, too few descriptors, no more memory: seen from outside the process and by the server's clients.

#include <gmock/gmock.h>

#include <thread>

#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using testing_support::FaultTest;
using testing_support::ProgramTarget;

const ProgramTarget::Program kBusy = {"setsid sh -c 'while :; do :; done' </dev/null >/dev/null 2>&1 &",
                                      "pgrep -f 'while :; do :; [d]one'; exit 0"};
const ProgramTarget::Program kRedis = {
    "pgrep -x redis-server >/dev/null || setsid redis-server --port 6379 --save '' --daemonize no </dev/null "
    ">/dev/null 2>&1 &",
    "pgrep -x redis-server; exit 0"};

class ResourcesTest : public FaultTest {
 protected:
  void start(const ProgramTarget::Program& program) {
    target_ = std::make_unique<ProgramTarget>(cluster(), program);
    const auto done = target_->start(cluster().at(0));
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_NE(pid(), 0);
  }
  void start_redis() {
    if (on(0, "command -v redis-server >/dev/null || echo none") == "none\n") GTEST_SKIP() << "no redis-server here";
    start(kRedis);
    for (int i = 0; i < 100 && !pong(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ASSERT_TRUE(pong());
  }
  int pid() {
    for (int i = 0; i < 100; ++i) {
      const auto pids = target_->pids(cluster().at(0));
      if (pids && !pids->empty()) return pids->front();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return 0;
  }
  std::unique_ptr<Injection> inject(const std::string& fault) {
    set(fault + ".nodes", "n1");
    auto planned = plan(fault, 1, "test-1");
    EXPECT_TRUE(planned);
    const auto prepared = (*planned)->prepare(Deadline::after_s(60));
    EXPECT_TRUE(prepared) << prepared.error().message;
    arm(**planned, fault, "test-1");
    const auto done = (*planned)->inject(Deadline::after_s(60));
    EXPECT_TRUE(done) << done.error().message;
    return *std::move(planned);
  }
  static void expect(const Result<Observation>& seen, bool confirmed, const std::string& evidence) {
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(seen->confirmed, confirmed) << seen->evidence;
    EXPECT_THAT(seen->evidence, HasSubstr(evidence));
  }
  // The share of a processor that the process got within a second.
  double share_of_processor() {
    const std::string ticks = "cut -d' ' -f14,15 /proc/" + std::to_string(pid()) + "/stat | tr ' ' +";
    const auto begin = std::chrono::steady_clock::now();
    const double used =
        std::atof(on(0,
                     "a=$(("
                     "$(" +
                         ticks + "))); sleep 1; b=$(($(" + ticks + "))); echo $(((b - a) * 1000 / $(getconf CLK_TCK)))")
                      .c_str());
    return used / 1000 / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  // What it gets of the processor for each second that another program of least priority gets at the same time: on a
  // busy machine nobody gets much.
  double share_beside_another() {
    const std::string ticks = "cut -d' ' -f14,15 /proc/$1/stat | tr ' ' +";
    return std::atof(
               on(0, "ticks() { echo $(($(" + ticks +
                         "))); }\n"
                         "setsid nice -n 19 sh -c 'while :; do :; done' ordeal-another </dev/null >/dev/null 2>&1 &\n"
                         "other=$!; sleep 0.2; it=" +
                         std::to_string(pid()) +
                         "\na=$(ticks $it); b=$(ticks $other); sleep 2; "
                         "echo $((($(ticks $it) - a) * 1000 / ($(ticks $other) - b + 1)))\nkill $other")
                   .c_str()) /
           1000;
  }
  // Whether a new connection is served within half a second.
  bool pong() {
    return on(0,
              "timeout 0.5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/6379; echo PING >&3; read -r word <&3; echo $word' "
              "2>/dev/null; "
              "exit 0")
        .starts_with("+PONG");
  }
  std::string limits() { return on(0, "cat /proc/" + std::to_string(pid()) + "/limits"); }
};

TEST_F(ResourcesTest, SlowTakesTheProcessorAwayAndLetsGo) {
  set("slow.percent", "20");
  start(kBusy);
  const auto slow = inject("slow");
  EXPECT_LT(share_of_processor(), 0.45);
  expect(slow->confirm(Deadline::after_s(30)), true, "where it should be 40");
  expect(testing_support::shortly(0.2, [&](Deadline limit) { return slow->confirm_healed(limit); }), false, "");
  // A pause on top of it stays in force when the slowness goes.
  set("pause.nodes", "n1");
  auto pause = plan("pause", 1, "test-2");
  ASSERT_TRUE(pause);
  ASSERT_TRUE((*pause)->prepare(Deadline::after_s(60)));
  ASSERT_TRUE((*pause)->inject(Deadline::after_s(60)));
  expect((*pause)->confirm(Deadline::after_s(30)), true, "is in state T");
  undo(*slow, "slow", "test-1");
  expect(slow->confirm_healed(Deadline::after_s(30)), true, "0 of 50 looks found it held");
  expect((*pause)->confirm(Deadline::after_s(30)), true, "is in state T");
  undo(**pause, "pause", "test-2");
  EXPECT_EQ(remains(), "");
}

TEST_F(ResourcesTest, AnAgentThatIsKilledHoldsNothing) {
  set("slow.percent", "1");
  start(kBusy);
  const auto slow = inject("slow");
  on(0, "kill -KILL $(cut -d' ' -f1 /var/lib/ordeal/faults/test-1/background)");
  expect(slow->confirm_healed(Deadline::after_s(30)), true, "0 of 50 looks found it held");
  undo(*slow, "slow", "test-1");
  EXPECT_EQ(remains(), "");
}

TEST_F(ResourcesTest, WithoutDescriptorsNoNewClientIsServedAndAfterwardsItIs) {
  start_redis();
  if (IsSkipped() || HasFatalFailure()) return;
  const std::string before = limits();
  const int process = pid();
  const auto files = inject("files");
  expect(files->confirm(Deadline::after_s(30)), true, "descriptors and may have");
  EXPECT_NE(limits(), before);
  EXPECT_FALSE(pong());
  expect(testing_support::shortly(1, [&](Deadline limit) { return files->confirm_healed(limit); }), false, "as before");
  undo(*files, "files", "test-1");
  ASSERT_TRUE(files->heal(Deadline::after_s(60)));
  expect(files->confirm_healed(Deadline::after_s(30)), true, "as before");
  EXPECT_EQ(limits(), before);
  EXPECT_TRUE(pong());
  EXPECT_EQ(pid(), process) << "it was not restarted";
  EXPECT_EQ(remains(), "");
}

TEST_F(ResourcesTest, WithoutMemoryAnAllocationFailsAndTheDeadAreRaised) {
  start_redis();
  if (IsSkipped() || HasFatalFailure()) return;
  const std::string before = limits();
  const int process = pid();
  const auto memory = inject("memory");
  expect(memory->confirm(Deadline::after_s(30)), true, "bytes of address space and may have");
  EXPECT_NE(limits(), before);
  EXPECT_TRUE(pong()) << "what it has is enough for this";
  // 200 MB in one piece: Redis ends when it gets no memory.
  on(0,
     "timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/6379; echo SETRANGE key 200000000 x >&3; read -r word <&3; echo "
     "$word' "
     "2>/dev/null; exit 0");
  for (int i = 0; i < 100 && pid() == process && !target_->pids(cluster().at(0))->empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(target_->pids(cluster().at(0))->empty());
  expect(memory->confirm(Deadline::after_s(30)), true, "have ended under it");
  undo(*memory, "memory", "test-1");
  ASSERT_TRUE(memory->heal(Deadline::after_s(60)));
  EXPECT_NE(pid(), process);
  expect(memory->confirm_healed(Deadline::after_s(30)), true, "have ended, and with them their limits");
  EXPECT_EQ(limits(), before);
  EXPECT_EQ(remains(), "");
}

// Version 1 or 2, whichever of them has the processor here.
TEST_F(ResourcesTest, AQuotaLeavesItsShareAndEverythingGoesBackToItsGroup) {
  std::string service = make_group("cgroup -o cpu");
  if (service.empty()) GTEST_SKIP() << "the processor is not in a cgroup of version 1 here";
  const testing_support::ProgramTarget::Program busy = {"echo $$ >" + service + "/cgroup.procs; " + kBusy.start,
                                                        kBusy.find};
  start(busy);
  on(0, "renice 19 -p " + std::to_string(pid()) + " >/dev/null");
  const std::string groups_before = groups();
  const std::string own = on(0, "cat /proc/" + std::to_string(pid()) + "/cgroup");
  EXPECT_THAT(own, HasSubstr("/service\n"));
  set("slow.percent", "20");
  set("slow.period", "50ms");
  const auto slow = inject("slow");
  EXPECT_THAT(slow->describe().to_json(), HasSubstr("quota (cgroup v1)"));
  expect(slow->confirm(Deadline::after_s(60)), true, "may have 20, and was held back");
  EXPECT_LT(share_of_processor(), 0.25);
  expect(testing_support::shortly(0.5, [&](Deadline limit) { return slow->confirm_healed(limit); }), false,
         "is still there");
  undo(*slow, "slow", "test-1");
  expect(slow->confirm_healed(Deadline::after_s(60)), true, "is in its own group again");
  EXPECT_EQ(on(0, "cat /proc/" + std::to_string(pid()) + "/cgroup"), own);
  EXPECT_EQ(groups(), groups_before);
  EXPECT_GT(share_beside_another(), 0.5);
  EXPECT_EQ(remains(), "");
}

// A target that is idle most of the time would not feel a half of a processor.
TEST_F(ResourcesTest, AQuotaThatIsDrawnIsAPartOfWhatTheTargetUses) {
  const std::string service = make_group("cgroup -o cpu");
  if (service.empty()) GTEST_SKIP() << "the processor is not in a cgroup of version 1 here";
  start({"echo $$ >" + service +
             "/cgroup.procs; setsid nice -n 10 sh -c 'while :; do i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; "
             "sleep 0.05; done' "
             "ordeal-half-idle </dev/null >/dev/null 2>&1 &",
         testing_support::found_by("ordeal-half-idle")});
  set("slow.mechanism", "quota");
  const auto slow = inject("slow");
  EXPECT_THAT(slow->describe().to_json(), HasSubstr("quota_percent"));
  expect(slow->confirm(Deadline::after_s(20)), true, "was held back");
  undo(*slow, "slow", "test-1");
  expect(slow->confirm_healed(Deadline::after_s(60)), true, "is in its own group again");
}

TEST_F(ResourcesTest, WhoUsesNextToNothingIsHeldInsteadOfGivenAQuota) {
  if (make_group("cgroup -o cpu").empty()) GTEST_SKIP() << "the processor is not in a cgroup of version 1 here";
  start(ProgramTarget::Program());
  const auto slow = inject("slow");
  EXPECT_THAT(slow->describe().to_json(), HasSubstr("held for a part of each period"));
  expect(slow->confirm(Deadline::after_s(60)), true, "looks found it held");
  undo(*slow, "slow", "test-1");
  expect(slow->confirm_healed(Deadline::after_s(60)), true, "0 of 50 looks found it held");
  EXPECT_EQ(remains(), "");
}

// A quota that nobody feels is not shown to be in force.
TEST_F(ResourcesTest, AQuotaThatIsNotUsedUpIsUnconfirmed) {
  if (make_group("cgroup -o cpu").empty()) GTEST_SKIP() << "the processor is not in a cgroup of version 1 here";
  start(ProgramTarget::Program());
  set("slow.mechanism", "quota");
  set("slow.percent", "50");
  const auto slow = inject("slow");
  expect(testing_support::shortly(4, [&](Deadline limit) { return slow->confirm(limit); }), false,
         "may have 50, and was held back 0 times");
  undo(*slow, "slow", "test-1");
  expect(slow->confirm_healed(Deadline::after_s(60)), true, "is in its own group again");
}

TEST_F(ResourcesTest, WithoutGroupsAQuotaIsRefused) {
  start(ProgramTarget::Program());
  set("slow.mechanism", "quota");
  set("slow.nodes", "n1");
  auto planned = plan("slow", 1, "test-1");
  ASSERT_TRUE(planned);
  const auto done = (*planned)->prepare(Deadline::after_s(60));
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("n1: slow.mechanism=quota: no cgroup that could do it is mounted"));
}

}  // namespace
}  // namespace ordeal
