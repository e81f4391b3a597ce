#include <gmock/gmock.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "harness/runner/stuck.h"
#include "tests/harness/runner/run_fixture.h"
#include "tests/support/synced.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST_F(RunFixture, PlaysTheGeneratorToItsEnd) {
  workload_.generator = ops(100);
  workload_.final_generator = ops(5, "read");
  const auto outcome = run();
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->counts.invoked, 105u);
  EXPECT_EQ(outcome->counts.ok, 105u);
  EXPECT_EQ(count("invoke"), 105u);
  EXPECT_EQ(count("ok"), 105u);
  expect_well_formed();
  EXPECT_EQ(target_->opened, 3);
  EXPECT_EQ(target_->closed, 3);
  EXPECT_FALSE(outcome->interrupted);
  EXPECT_EQ(outcome->stuck_threads, 0u);
  // The final phase begins after everything of the main phase is over.
  std::int64_t last_write = 0;
  std::int64_t first_read = std::numeric_limits<std::int64_t>::max();
  for (const auto& e : events_) {
    if (e.f == "write") last_write = std::max(last_write, e.time);
    if (e.f == "read") first_read = std::min(first_read, e.time);
  }
  EXPECT_GT(first_read, last_write);
  EXPECT_GE(outcome->final_begin_ns, outcome->main_end_ns);
  EXPECT_GE(testing_support::Synced::times(scratch_.file("history.jsonl")), 1u)
      << "the journal must survive the machine";
}

// What a machine under load cannot change: the rate is never exceeded, and nothing ends before its time. That no
// arrival is lost is seen in the simulated time of the generator's tests.
TEST_F(RunFixture, EndsAtTheTimeLimitAndKeepsTheRate) {
  workload_.generator = gen::repeat({"read", std::nullopt, {}});
  setup_.time_limit_s = 0.5;
  setup_.rate = 400;
  setup_.arrivals = gen::Arrivals::fixed;
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  EXPECT_GT(outcome->counts.ok, 0u);
  EXPECT_LE(outcome->counts.ok, 201u);
  EXPECT_GE(outcome->main_end_ns - outcome->main_begin_ns, 500'000'000);
  std::int64_t n = 0;
  for (const auto& e : events_) {
    if (e.type != "invoke") continue;
    EXPECT_GE(e.time, outcome->main_begin_ns + n * 2'500'000) << "arrival " << n << " came before its time";
    ++n;
  }
}

// Also at a rate that a single worker could keep: each worker is on a node, and no node shall be left out. However slow
// the machine is, who has waited longest comes next: the shares are counted, not timed.
TEST_F(RunFixture, EveryWorkerGetsItsShare) {
  workload_.generator = ops(3000, "read");  // for three seconds: some threads may not run at all in the first one
  setup_.workers.workers = 10;
  setup_.time_limit_s = 60;
  setup_.rate = 1000;
  ASSERT_TRUE(run());
  std::map<std::int64_t, int> asked;
  for (const auto& e : events_) asked[e.process] += e.type == "invoke" ? 1 : 0;
  EXPECT_EQ(count("invoke"), 3000u);
  ASSERT_EQ(asked.size(), 10u);
  for (const auto& [process, invoked] : asked) {
    EXPECT_GE(invoked, 3) << "process " << process;
    EXPECT_LE(invoked, 1200) << "process " << process;
  }
}

TEST_F(RunFixture, AnExceptionIsInfoAndRetiresTheProcess) {
  workload_.generator = ops(30);
  target_->on_invoke = [](std::size_t, const Operation& op, Deadline) -> Completion {
    if (op.value.integer() % 3 == 0) throw std::runtime_error("connection reset");
    if (op.value.integer() % 3 == 1) throw 7;  // NOLINT: clients are written by strangers
    return Completion::ok();
  };
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->counts.info, 20u);
  EXPECT_EQ(count("info", "exception"), 20u);
  expect_well_formed();
  // Each worker keeps its residue: process numbers grow by the number of workers.
  std::set<std::int64_t> processes;
  for (const auto& e : events_) processes.insert(e.process);
  EXPECT_GT(processes.size(), 20u);
  EXPECT_EQ(target_->closed, target_->opened);
  EXPECT_GE(target_->opened, 20);
}

TEST_F(RunFixture, OutcomesAreRecordedAsTheClientSays) {
  workload_.generator = ops(3);
  target_->on_invoke = [](std::size_t, const Operation& op, Deadline) {
    switch (op.value.integer()) {
      case 0:
        return Completion::failed("conflict", "no");
      case 1:
        return Completion::unknown("timeout", "who knows");
      default:
        return Completion{EventType::invoke, std::nullopt, std::nullopt};
    }
  };
  ASSERT_TRUE(run());
  EXPECT_EQ(count("fail", "conflict"), 1u);
  EXPECT_EQ(count("info", "timeout"), 1u);
  EXPECT_EQ(count("info", "client-error"), 1u);
}

// A little late is still the truth; its time is that of the return.
TEST_F(RunFixture, AnAnswerWithinTheGraceIsKept) {
  setup_.workers.grace = std::chrono::seconds(30);
  workload_.generator = ops(1);
  target_->on_invoke = [](std::size_t, const Operation&, Deadline deadline) {
    std::this_thread::sleep_until(deadline + milliseconds(10));
    return Completion::ok(Value("late"));
  };
  ASSERT_TRUE(run());
  ASSERT_EQ(events_.size(), 2u);
  EXPECT_EQ(events_[1].type, "ok");
  EXPECT_GE(events_[1].time - events_[0].time, 410'000'000);
}

TEST_F(RunFixture, AClientThatBlocksIsAbandonedAndTheRunGoesOn) {
  std::mutex mutex;
  std::condition_variable released;
  bool release = false;
  const auto alive = std::make_shared<int>(0);
  target_->held_by_clients = alive;
  workload_.generator = ops(400);  // which take a second without its worker
  setup_.time_limit_s = 5;
  target_->on_invoke = [&](std::size_t, const Operation& op, Deadline) {
    if (op.value.integer() == 4) {
      std::unique_lock lock(mutex);
      released.wait_for(lock, std::chrono::seconds(10), [&] { return release; });
      return Completion::ok(Value("much too late"));
    }
    std::this_thread::sleep_for(milliseconds(5));
    return Completion::ok();
  };
  const auto began = steady_clock::now();
  const auto outcome = run();
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(8)) << "it blocks for ten";
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->counts.ok, 399u);
  EXPECT_EQ(outcome->counts.info, 1u);
  EXPECT_EQ(outcome->stuck_threads, 1u);
  EXPECT_EQ(count("info", "timeout"), 1u);
  EXPECT_EQ(count("ok"), 399u);
  EXPECT_EQ(stuck_threads(), 1u);
  expect_well_formed();
  const auto info = std::find_if(events_.begin(), events_.end(), [](const Seen& e) { return e.type == "info"; });
  ASSERT_NE(info, events_.end());
  EXPECT_EQ(info->value.integer(), 4);
  // The worker went on under the next number.
  EXPECT_TRUE(
      std::any_of(events_.begin(), events_.end(), [&](const Seen& e) { return e.process == info->process + 3; }));
  EXPECT_NE(logged_.find("did not return"), std::string::npos);
  EXPECT_EQ(target_->closed, target_->opened - 1) << "all but the client that blocks";
  target_->held_by_clients.reset();
  EXPECT_EQ(alive.use_count(), 2) << "the client that blocks";
  {
    const std::lock_guard lock(mutex);
    release = true;
  }
  released.notify_all();
  for (int i = 0; i < 500 && stuck_threads() > 0; ++i) std::this_thread::sleep_for(milliseconds(2));
  EXPECT_EQ(stuck_threads(), 0u);
  // It gives its connection back, and nothing of it is left.
  EXPECT_EQ(target_->closed, target_->opened);
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(RunFixture, AClientThatBlocksWhileOpeningIsAbandonedToo) {
  workload_.generator = ops(20);
  setup_.workers.first_open_timeout = setup_.workers.op_timeout;
  setup_.time_limit_s = 2;
  setup_.nodes = 3;
  std::mutex mutex;
  std::condition_variable released;
  bool release = false;
  target_->on_open = [&](std::size_t node, Deadline) -> Result<void> {
    if (node == 1) {
      std::unique_lock lock(mutex);
      released.wait_for(lock, std::chrono::seconds(10), [&] { return release; });
    }
    return {};
  };
  const auto outcome = run();
  ASSERT_TRUE(outcome) << outcome.error().message;
  // Between two attempts its worker may draw an operation, which then fails for want of a connection. And a busy
  // machine may take longer for one than the fixture's deadline.
  EXPECT_EQ(outcome->counts.ok + count("fail", "no-connection") + count("info", "timeout"), 20u);
  EXPECT_GE(outcome->counts.ok, 15u);
  EXPECT_GE(outcome->stuck_threads, 1u);
  expect_well_formed();
  {
    const std::lock_guard lock(mutex);
    release = true;
  }
  released.notify_all();
  for (int i = 0; i < 500 && stuck_threads() > 0; ++i) std::this_thread::sleep_for(milliseconds(2));
  EXPECT_EQ(stuck_threads(), 0u);
}

TEST_F(RunFixture, WithoutAConnectionOperationsFailAtABoundedRate) {
  workload_.generator = gen::repeat({"read", std::nullopt, {}});
  setup_.nodes = 3;
  setup_.time_limit_s = 0.4;
  target_->on_open = [](std::size_t node, Deadline) -> Result<void> {
    if (node == 2) return fail(ErrorCode::unreachable, "connection refused");
    return {};
  };
  target_->on_invoke = [](std::size_t, const Operation&, Deadline) {
    std::this_thread::sleep_for(milliseconds(1));
    return Completion::ok();
  };
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(count("fail", "no-connection"), outcome->counts.fail);
  // 10 + 20 + 40 + 40 + … ms: 12 at the very most within 400 ms.
  EXPECT_GE(outcome->counts.fail, 2u);
  EXPECT_LE(outcome->counts.fail, 14u);
  EXPECT_GT(outcome->counts.ok, 20u);
  EXPECT_EQ(outcome->lost_workers, 1u) << "one of three was never connected";
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->lost_workers, 1u);
  EXPECT_EQ(end_->workers, 3u);
  expect_well_formed();
}

TEST_F(RunFixture, ANodeThatComesBackIsUsedAgain) {
  workload_.generator = gen::repeat({"read", std::nullopt, {}});
  setup_.workers.workers = 2;
  setup_.nodes = 2;
  setup_.time_limit_s = 0.4;
  std::atomic<int> attempts{0};
  std::atomic<int> served{0};
  target_->on_open = [&](std::size_t node, Deadline) -> Result<void> {
    if (node == 1 && attempts.fetch_add(1) < 3) return fail(ErrorCode::unreachable, "connection refused");
    return {};
  };
  target_->on_invoke = [&](std::size_t node, const Operation&, Deadline) {
    served += node == 1 ? 1 : 0;
    std::this_thread::sleep_for(milliseconds(1));
    return Completion::ok();
  };
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  EXPECT_GT(served, 10);
  EXPECT_EQ(outcome->lost_workers, 0u);
}

TEST_F(RunFixture, NotOneConnectionIsAnErrorOfTheRun) {
  workload_.generator = ops(5);
  target_->on_open = [](std::size_t, Deadline) -> Result<void> {
    return fail(ErrorCode::unreachable, "connection refused");
  };
  const auto outcome = run();
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().message.find("connection refused"), std::string::npos);
  EXPECT_TRUE(events_.empty());
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->how, RunEnd::How::failed);
  EXPECT_NE(end_->failure.find("connection refused"), std::string::npos);
}

TEST_F(RunFixture, TheLastRecordSaysThatTheRunIsComplete) {
  workload_.generator = ops(5);
  workload_.final_generator = ops(2, "final");
  ASSERT_TRUE(run());
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->how, RunEnd::How::complete);
  EXPECT_EQ(end_->final_phase, RunEnd::FinalPhase::done);
  EXPECT_EQ(end_->time_limit_s, setup_.time_limit_s);
  EXPECT_TRUE(end_->unrecovered.empty());
}

TEST_F(RunFixture, StopsOnRequestAndLeavesOutTheFinalPhase) {
  workload_.generator = gen::repeat({"read", std::nullopt, {}});
  workload_.final_generator = ops(5, "final");
  setup_.time_limit_s = 60;
  setup_.rate = 100;
  std::stop_source stop;
  setup_.stop = stop.get_token();
  const std::jthread presser([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop.request_stop();
  });
  const auto began = steady_clock::now();
  const auto outcome = run();
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(30)) << "it would take sixty";
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->interrupted);
  EXPECT_FALSE(std::any_of(events_.begin(), events_.end(), [](const Seen& e) { return e.f == "final"; }));
  expect_well_formed();
}

TEST_F(RunFixture, WhatIsSeenEndsItBeforeAnythingElseIsDone) {
  workload_.generator = gen::repeat({"read", std::nullopt, {}});
  workload_.final_generator = gen::repeat({"final", std::nullopt, {}});
  setup_.time_limit_s = 600;
  setup_.rate = 100;
  std::stop_source halt;
  setup_.halt = halt.get_token();
  int calls = 0;
  std::uint64_t events_then = 0;
  setup_.at_halt = [&] {
    ++calls;
    std::this_thread::sleep_for(milliseconds(200));  // what is asked meanwhile would be in the journal
    events_then = setup_.journal->events();
  };
  const std::jthread watcher([&] {
    std::this_thread::sleep_for(milliseconds(100));
    halt.request_stop();
  });
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->halted);
  EXPECT_FALSE(outcome->interrupted);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(events_.size(), events_then) << "something was asked after it";
  EXPECT_EQ(end_->how, RunEnd::How::anomaly);
  EXPECT_EQ(end_->final_phase, RunEnd::FinalPhase::left_out);
  EXPECT_FALSE(std::any_of(events_.begin(), events_.end(), [](const Seen& e) { return e.f == "final"; }));
  expect_well_formed();
}

// A nemesis with one fault that begins at once and lasts until it is stopped.
class OneFault final : public Nemesis {
 public:
  void run(RunPhase, std::stop_token stop, NemesisLog& log) override {
    {
      const std::lock_guard lock(mutex_);
      record_.fault = "partition";
      record_.inject_ns = log.now_ns();
    }
    log.record("partition", *Value::from_json(R"({"id":1,"step":"inject"})"));
    std::mutex sleeping;
    std::condition_variable_any alarm;
    std::unique_lock lock(sleeping);
    alarm.wait_for(lock, stop, std::chrono::seconds(30), [] { return false; });
    log.record("partition", *Value::from_json(R"({"id":1,"step":"heal"})"));
  }
  Result<void> heal_all(Deadline) override {
    const std::lock_guard lock(mutex_);
    record_.healed_ns = 1;
    return {};
  }
  std::vector<FaultRecord> records() const override {
    const std::lock_guard lock(mutex_);
    return {record_};
  }

 private:
  mutable std::mutex mutex_;
  FaultRecord record_;
};

TEST_F(RunFixture, TheNemesisRunsBesideTheMainPhaseAndIsHealedBeforeTheFinalOne) {
  workload_.generator = gen::repeat({"write", std::nullopt, {}});
  workload_.final_generator = ops(3, "read");
  setup_.rate = 200;
  OneFault nemesis;
  setup_.nemesis = &nemesis;
  setup_.progress_interval = milliseconds(10);
  std::set<std::string> phases;
  bool saw_fault = false;
  setup_.progress = [&](const Progress& p) {
    phases.insert(p.phase);
    saw_fault = saw_fault || (p.phase == "main" && p.active_faults == std::vector<std::string>{"partition"});
  };
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->faults.size(), 1u);
  EXPECT_TRUE(saw_fault);
  EXPECT_THAT(phases, testing::IsSupersetOf({"opening", "main", "healing", "recovering", "closing"}));
  std::vector<std::string> order;
  for (const auto& e : events_) {
    const std::string what = e.process < 0 ? e.value.find("step")->string() : e.f;
    if (order.empty() || order.back() != what) order.push_back(what);
  }
  ASSERT_GE(order.size(), 4u);
  EXPECT_EQ(order.back(), "read");
  EXPECT_EQ(order[order.size() - 2], "heal");
}

// Waits for operations, and plays the other phases, too; the one of the recovery ends by itself.
class Watcher final : public Nemesis {
 public:
  void run(RunPhase phase, std::stop_token stop, NemesisLog& log) override {
    const auto in = [](int ms) { return Deadline::after(milliseconds(ms)); };
    phases.push_back(phase);
    if (phase == RunPhase::recovery) {
      saw_any = log.await_operation("write", in(60)) || log.await_operation("read", in(60));
      return;
    }
    if (phase == RunPhase::main) {
      saw_write = log.await_operation("write", in(5'000));
      saw_never = log.await_operation("never", in(60));
    } else {
      saw_read = log.await_operation("read", in(5'000));
    }
    while (!stop.stop_requested()) std::this_thread::sleep_for(milliseconds(1));
    late = log.await_operation("write", in(20));
  }
  bool plays(RunPhase) const override { return true; }
  Result<void> heal_all(Deadline) override {
    ++heals;
    return {};
  }
  std::vector<FaultRecord> records() const override { return {}; }

  std::vector<RunPhase> phases;
  int heals = 0;
  bool saw_write = false;
  bool saw_never = true;
  bool saw_any = true;
  bool saw_read = false;
  bool late = true;
};

TEST_F(RunFixture, TheNemesisSeesWhichOperationsAreUnderWayAndMayPlayTheOtherPhases) {
  workload_.generator = gen::repeat({"write", std::nullopt, {}});
  workload_.final_generator = ops(100, "read");
  setup_.rate = 500;
  target_->on_invoke = [](std::size_t, const Operation&, Deadline) {
    std::this_thread::sleep_for(milliseconds(2));
    return Completion::ok();
  };
  Watcher nemesis;
  setup_.nemesis = &nemesis;
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(nemesis.phases, (std::vector{RunPhase::main, RunPhase::recovery, RunPhase::final}));
  EXPECT_EQ(nemesis.heals, 3);
  EXPECT_FALSE(nemesis.saw_any) << "nobody asks while it recovers";
  EXPECT_TRUE(nemesis.saw_write);
  EXPECT_FALSE(nemesis.saw_never);
  EXPECT_TRUE(nemesis.saw_read);
  EXPECT_FALSE(nemesis.late) << "all operations had ended when it was told to stop";
  EXPECT_LE(outcome->healed_ns, outcome->final_begin_ns);
}

// Ends when it is told to, and cannot heal.
class Incurable final : public Nemesis {
 public:
  void run(RunPhase, std::stop_token stop, NemesisLog&) override {
    while (!stop.stop_requested()) std::this_thread::sleep_for(milliseconds(1));
  }
  Result<void> heal_all(Deadline) override { return fail(ErrorCode::unreachable, "n3: no route to host"); }
  std::vector<FaultRecord> records() const override { return {}; }
};

TEST_F(RunFixture, WhatCouldNotBeHealedIsReported) {
  workload_.generator = ops(5);
  workload_.final_generator = ops(1, "read");
  Incurable nemesis;
  setup_.nemesis = &nemesis;
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(outcome->heal_failure);
  EXPECT_THAT(outcome->heal_failure->message, testing::HasSubstr("n3: no route to host"));
  EXPECT_THAT(logged_, testing::HasSubstr("n3: no route to host"));
  EXPECT_THAT(outcome->to_value().to_json(), testing::HasSubstr("\"heal_failure\":\"n3: no route to host"));
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->how, RunEnd::How::failed) << "a run that leaves a fault in force is none";
  EXPECT_THAT(end_->failure, testing::HasSubstr("n3: no route to host"));
}

// Takes its time to end; what waits for it (recovery_s and a minute) is made short.
class Endless final : public Nemesis {
 public:
  void run(RunPhase, std::stop_token stop, NemesisLog&) override {
    while (!stop.stop_requested()) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(400));
  }
  Result<void> heal_all(Deadline) override { return {}; }
  std::vector<FaultRecord> records() const override { return {}; }
};

TEST_F(RunFixture, ANemesisThatDoesNotEndIsReported) {
  workload_.generator = ops(5);
  Endless nemesis;
  setup_.nemesis = &nemesis;
  setup_.recovery_s = -59.95;
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(outcome->heal_failure);
  EXPECT_THAT(outcome->heal_failure->message, testing::HasSubstr("the nemesis did not end within"));
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->how, RunEnd::How::failed);
  // Its thread still runs in `nemesis`, and is joined once it is back.
  for (int i = 0; i < 5000 && stuck_threads() > 0; ++i) std::this_thread::sleep_for(milliseconds(2));
  EXPECT_EQ(stuck_threads(), 0u);
}

TEST_F(RunFixture, ATargetThatDoesNotComeBackIsReported) {
  workload_.generator = ops(5);
  target_->on_ready = [](Deadline) -> Result<void> { return fail(ErrorCode::target, "n2 does not serve"); };
  const auto outcome = run();
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->recovery_failure) << "it is the target's failure";
  ASSERT_EQ(outcome->unrecovered.size(), 1u);
  EXPECT_EQ(outcome->unrecovered.front().problem, "n2 does not serve");
  EXPECT_EQ(outcome->recovered_ns, -1);
  ASSERT_TRUE(end_);
  ASSERT_EQ(end_->unrecovered.size(), 1u);
  EXPECT_EQ(end_->unrecovered.front().problem, "n2 does not serve");
}

TEST_F(RunFixture, BarriersHoldAcrossRealThreads) {
  workload_.generator = gen::phases(gen::list_of(ops(20, "a"), ops(20, "b"), ops(20, "c")));
  target_->on_invoke = [](std::size_t, const Operation& op, Deadline) {
    std::this_thread::sleep_for(std::chrono::microseconds(100 * (op.value.integer() % 7)));
    return Completion::ok();
  };
  setup_.time_limit_s = 5;
  ASSERT_TRUE(run());
  EXPECT_EQ(count("ok"), 60u);
  std::string order;
  for (const auto& e : events_) order += order.ends_with(e.f) ? "" : e.f;
  EXPECT_EQ(order, "abc");
}

}  // namespace
}  // namespace ordeal
