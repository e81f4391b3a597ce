// The verdict on readings of a wrong clock, in particular on readings that are too coarse to tell.

#include "nemesis/clock/wrong_clock.h"

#include <gtest/gtest.h>

namespace ordeal {
namespace {

// At `time` a clock is `offset` ahead, by a reading that may be wrong by about `error`.
ClockReading reading(double time, double offset, double error) {
  ClockReading out;
  out.before = time - error;
  out.inside = time + offset;
  out.after = time + error;
  return out;
}

bool shows(const Wrong& wrong, const std::vector<ClockReading>& readings) {
  return judge_clock(wrong, readings, "it").confirmed;
}

TEST(WrongClock, AnOffsetIsShownByReadingsThatAreFinerThanIt) {
  const Wrong wrong{"offset", {0.15}, 0, 0};
  EXPECT_TRUE(shows(wrong, {reading(0, 0.15, 0.01), reading(1, 0.15, 0.01)}));
  EXPECT_FALSE(shows(wrong, {reading(0, 0.3, 0.01), reading(1, 0.3, 0.01)}));
  EXPECT_FALSE(shows(wrong, {reading(0, 0, 0.01), reading(1, 0, 0.01)}));
}

TEST(WrongClock, ARightClockThatIsReadCoarselyIsNotTakenForAWrongOne) {
  const Wrong wrong{"offset", {0.15}, 0, 0};
  EXPECT_FALSE(shows(wrong, {reading(0, 0.05, 0.2), reading(1, 0.1, 0.2)}));
}

TEST(WrongClock, AStrobeNeedsReadingsThatAreOneOrTheOther) {
  const Wrong wrong{"strobe", {0.15, 0}, 0.1, 0};
  EXPECT_TRUE(shows(wrong, {reading(0, 0.15, 0.01), reading(1, 0, 0.01)}));
  EXPECT_FALSE(shows(wrong, {reading(0, 0, 0.01), reading(1, 0, 0.01)}));
  EXPECT_FALSE(shows(wrong, {reading(0, 0.1, 0.2), reading(1, 0, 0.2)})) << "either reading may be either step";
}

TEST(WrongClock, ADriftIsReadOverATimeInWhichItGainsMoreThanReadingMayBeWrongBy) {
  const Wrong wrong{"drift", {0}, 0, 0.08};
  const ReadingPlan plan = reading_plan(wrong, 0.1);
  EXPECT_GT(plan.pause_s * 0.08, 0.2);
  EXPECT_TRUE(shows(wrong, {reading(0, 0, 0.1), reading(plan.pause_s, 0.08 * plan.pause_s, 0.1)}));
  EXPECT_FALSE(shows(wrong, {reading(0, 0, 0.1), reading(plan.pause_s, 0, 0.1)}));
  EXPECT_FALSE(shows(wrong, {reading(0, 0, 0.1), reading(1, 0.08, 0.1)}));
}

}  // namespace
}  // namespace ordeal
