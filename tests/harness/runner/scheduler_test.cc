#include "harness/runner/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A deadline for the test alone: what hangs fails.
constexpr auto kPatience = std::chrono::seconds(60);

class SteadyClock {
 public:
  std::int64_t operator()() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now() - began_).count();
  }

 private:
  steady_clock::time_point began_ = steady_clock::now();
};

// Threads that play workers against a scheduler: each does what it is told, at once.
class Crew {
 public:
  Crew(Scheduler& scheduler, int workers) : done_(static_cast<std::size_t>(workers)) {
    for (int w = 0; w < workers; ++w) {
      threads_.emplace_back([this, &scheduler, w] {
        while (auto operation = scheduler.next(w, w)) {
          done_[static_cast<std::size_t>(w)].fetch_add(1, std::memory_order_relaxed);
          scheduler.completed(w, w, *operation, Completion::ok());
        }
      });
    }
  }
  [[nodiscard]] std::vector<int> done() const { return {done_.begin(), done_.end()}; }

 private:
  std::vector<std::atomic<int>> done_;
  std::vector<std::jthread> threads_;
};

bool plays_to_its_end(Scheduler& scheduler, Generator& generator) {
  scheduler.begin(generator);
  const auto limit = steady_clock::now() + kPatience;
  while (!scheduler.idle(milliseconds(100))) {
    if (steady_clock::now() > limit) return false;
  }
  return true;
}

// One operation at each of so many moments, for whoever asks.
class Paced final : public Generator {
 public:
  Paced(int operations, std::int64_t every_ns) : left_(operations), every_ns_(every_ns) {}
  GeneratorStep next(const GeneratorContext& context) override {
    if (left_ == 0) return Done{};
    if (at_ns_ < 0) at_ns_ = context.now_ns;
    if (context.now_ns < at_ns_) return Wait{at_ns_, false};
    --left_;
    at_ns_ += every_ns_;
    return Operation{"write", std::nullopt, Value(left_)};
  }

 private:
  int left_;
  std::int64_t at_ns_ = -1;
  std::int64_t every_ns_;
};

// How many of a hundred workers got two or more of a thousand operations.
std::int64_t workers_with_two() {
  Scheduler scheduler(100, SteadyClock());
  std::vector<int> done;
  {
    Crew crew(scheduler, 100);
    Paced paced(1000, 200'000);
    EXPECT_TRUE(plays_to_its_end(scheduler, paced));
    done = crew.done();
    scheduler.close();
  }
  int all = 0;
  for (const int one : done) all += one;
  EXPECT_EQ(all, 1000);
  return std::count_if(done.begin(), done.end(), [](int one) { return one >= 2; });
}

// Ten each, when nobody has to wait for a processor for long: on a busy machine that may take another attempt. One that
// favours some workers never gets there.
TEST(SchedulerTest, AllWorkersGetTheirShareOfWhatComesSlowly) {
  std::int64_t most = 0;
  for (int attempt = 0; attempt < 20 && most < 90; ++attempt) most = std::max(most, workers_with_two());
  EXPECT_GE(most, 90);
}

// Every worker that slept woke every five milliseconds to look at its moment, and all were looked through under
// the lock at every step: a thousand of them cost twenty times as much as ten.
TEST(RegressSchedulerTest, ThousandsThatWaitAreAllServedInTheEnd) {
  Scheduler scheduler(2000, SteadyClock());
  Crew crew(scheduler, 2000);
  Paced paced(6000, 20'000);
  EXPECT_TRUE(plays_to_its_end(scheduler, paced));
  Paced again(10, 1'000'000);
  EXPECT_TRUE(plays_to_its_end(scheduler, again)) << "a second phase";
  scheduler.close();
  int all = 0;
  for (const int one : crew.done()) all += one;
  EXPECT_EQ(all, 6010);
}

// Tells each worker something else, by chance: an operation, a moment near or far, an event, or that it is over. What
// it promised holds: nothing is left when all have been told so.
class Moody final : public Generator {
 public:
  Moody(std::uint64_t seed, int operations) : random_(seed), left_(operations) {}
  GeneratorStep next(const GeneratorContext& context) override {
    if (left_ == 0) return Done{};
    const auto mood = random_() % 10;
    if (mood < 4) {
      --left_;
      ++open_;
      return Operation{mood < 2 ? "read" : "write", std::nullopt, {}};
    }
    // Moments on a grid, so that groups meet.
    const auto grid = static_cast<std::int64_t>(random_() % 5 * 300'000);
    const std::int64_t until = (context.now_ns / 300'000 + 1) * 300'000 + grid;
    // Waits only for an event while there is one to come.
    return Wait{open_ > 0 && mood == 9 ? context.now_ns + 50'000'000 : until, mood >= 7};
  }
  void update(const GeneratorEvent& event) override {
    if (event.type != EventType::invoke) --open_;
  }
  [[nodiscard]] int left() const { return left_; }

 private:
  std::mt19937_64 random_;
  int left_;
  int open_ = 0;
};

TEST(SchedulerTest, WhateverWorkersAreToldNobodyIsForgotten) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const int workers = static_cast<int>(1 + seed * seed % 60);
    Scheduler scheduler(workers, SteadyClock());
    Crew crew(scheduler, workers);
    for (int phase = 0; phase < 2; ++phase) {
      Moody moody(seed, 300);
      ASSERT_TRUE(plays_to_its_end(scheduler, moody)) << "seed " << seed << ", " << moody.left() << " left";
      ASSERT_EQ(moody.left(), 0);
    }
    scheduler.close();
    int all = 0;
    for (const int one : crew.done()) all += one;
    EXPECT_EQ(all, 600) << "seed " << seed;
  }
}

TEST(SchedulerTest, APhaseIsStoppedAndWatchersAreTold) {
  Scheduler scheduler(50, SteadyClock());
  Crew crew(scheduler, 50);
  Paced far(1000, 3'600'000'000'000);
  EXPECT_FALSE(scheduler.await_operation("read", steady_clock::now() + milliseconds(1)));
  scheduler.begin(far);
  EXPECT_FALSE(scheduler.idle(milliseconds(20))) << "the second operation is due in an hour";
  scheduler.stop_phase();
  EXPECT_TRUE(scheduler.idle(kPatience));
  // Ended by close(), long before its deadline.
  std::jthread watcher([&] { EXPECT_FALSE(scheduler.await_operation("read", steady_clock::now() + kPatience)); });
  std::this_thread::sleep_for(milliseconds(20));
  scheduler.close();
}

TEST(SchedulerTest, AnOperationUnderWayIsSeenByWhoWaitsForIt) {
  Scheduler scheduler(2, SteadyClock());
  Paced one(1, 1);
  std::atomic<bool> seen{false};
  std::jthread watcher([&] { seen = scheduler.await_operation("write", steady_clock::now() + kPatience); });
  scheduler.begin(one);
  const auto operation = scheduler.next(0, 0);
  ASSERT_TRUE(operation);
  watcher.join();
  EXPECT_TRUE(seen);
  EXPECT_TRUE(scheduler.await_operation("write", steady_clock::now()));
  EXPECT_FALSE(scheduler.await_operation("read", steady_clock::now()));
  scheduler.completed(0, 0, *operation, Completion::ok());
  EXPECT_FALSE(scheduler.await_operation("write", steady_clock::now()));
  scheduler.close();
}

}  // namespace
}  // namespace ordeal
