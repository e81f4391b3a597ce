#include "base/deadline.h"

#include <gtest/gtest.h>

namespace ordeal {
namespace {

using namespace std::chrono_literals;

TEST(DeadlineTest, TheDefaultIsOver) {
  const Deadline over;
  EXPECT_TRUE(over.passed());
  EXPECT_EQ(over.remaining(), 0ms);
  EXPECT_EQ(over.poll_ms(), 0);
}

TEST(DeadlineTest, AnHourIsNotOverAndPollWaitsAMinuteAtMost) {
  const Deadline hour = Deadline::after_s(3600);
  EXPECT_FALSE(hour.passed());
  EXPECT_GT(hour.remaining(), 59min);
  EXPECT_LE(hour.remaining(), 60min);
  EXPECT_EQ(hour.poll_ms(), 60'000);
}

TEST(DeadlineTest, WithinNeverMakesItLater) {
  const Deadline hour = Deadline::after(1h);
  EXPECT_LT(hour.within(1min), hour);
  EXPECT_EQ(hour.within(2h), hour);
  EXPECT_LT(hour.within_s(60), hour);
  EXPECT_EQ(hour.within_s(7200), hour);
  EXPECT_EQ(Deadline().within(1h), Deadline());
}

TEST(DeadlineTest, IsAPointOfTheMonotonicClock) {
  const auto at = Deadline::Clock::now() + 1h;
  const Deadline same = at;
  EXPECT_EQ(same, at);
  EXPECT_EQ(from_seconds(1.5), 1'500ms);
}

}  // namespace
}  // namespace ordeal
