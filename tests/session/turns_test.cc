// How many kinds of faults fit into a run.

#include "session/turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nemesis/engine/driver_options.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

Plan plan_of(double time_limit_s, const std::vector<std::pair<std::string, std::string>>& settings = {},
             const std::string& origin = "--set") {
  Plan plan;
  plan.time_limit_s = time_limit_s;
  plan.options.declare(nemesis_options());
  for (const auto& [key, text] : settings) EXPECT_TRUE(plan.options.set(key, text, origin));
  return plan;
}

// Five nodes leave two to be impaired; five seconds in force and two around it; the first after two seconds.
TEST(Turns, KindsTakeTurnsAsFarAsAMajorityIsLeft) {
  const Turns turns = estimate_turns(plan_of(40), 24, 0, 5);
  EXPECT_EQ(turns.at_once, 2u);
  EXPECT_DOUBLE_EQ(turns.all_s, 2 + 12 * 7);
  EXPECT_EQ(turns.fit, 10u);  // of 24 kinds in 84 s those for which 38 s are enough
  EXPECT_EQ(estimate_turns(plan_of(86), 24, 0, 5).fit, 24u);
  EXPECT_EQ(estimate_turns(plan_of(85.9), 24, 0, 5).fit, 23u);
  EXPECT_EQ(estimate_turns(plan_of(40), 24, 0, 3).fit, 5u);
  EXPECT_EQ(estimate_turns(plan_of(40), 3, 0, 5).fit, 3u);
  EXPECT_EQ(estimate_turns(plan_of(9), 24, 0, 5).fit, 2u);
  EXPECT_EQ(estimate_turns(plan_of(8.9), 24, 0, 5).fit, 0u);
}

// The estimate said 12 of 24 where 6 had their turn: changes of members and rolls keep all others waiting.
TEST(Turns, RegressWhatGoesNodeByNodeKeepsTheOthersWaiting) {
  const Turns turns = estimate_turns(plan_of(40), 24, 3, 5);
  EXPECT_DOUBLE_EQ(turns.all_s, 2 + 11 * 7 + 3 * (7 + 5 * 2));
  EXPECT_EQ(turns.fit, 7u);
  EXPECT_EQ(estimate_turns(plan_of(40), 1, 1, 5).fit, 1u);
  EXPECT_EQ(estimate_turns(plan_of(40), 2, 5, 5).all_s, 2 + 2 * 17);
}

TEST(Turns, WithoutAQuorumToKeepTheyComeTogetherAndInPeriodsOneByOne) {
  EXPECT_EQ(estimate_turns(plan_of(40, {{"nemesis.quorum", "any"}}), 24, 0, 3).fit, 24u);
  const Turns turns = estimate_turns(plan_of(40, {{"nemesis.schedule", "periodic"}}), 24, 0, 5);
  EXPECT_EQ(turns.at_once, 1u);
  EXPECT_EQ(turns.fit, 3u);
}

TEST(Turns, AreToldForAllFaultsAndWhenSomeDoNotFit) {
  const Plan all = plan_of(40, {{"nemesis.inapplicable", "skip"}}, "--nemesis all");
  EXPECT_EQ(
      turns_remark(all, 24, 3, 5),
      "about 7 of 24 kinds of faults fit into 40 s, about 2 at a time; all would take 130 s. Those whose turn does "
      "not come are named in the results");
  EXPECT_THAT(turns_remark(all, 3, 0, 5), HasSubstr("3 of 3 kinds of faults fit"));
  EXPECT_EQ(turns_remark(plan_of(40), 3, 0, 5), "");
  EXPECT_THAT(turns_remark(plan_of(10), 3, 0, 5), HasSubstr("1 of 3 kinds of faults fit into 10 s"));
  EXPECT_THAT(turns_remark(plan_of(10), 3, 0, 5), HasSubstr("without a verdict"));
  EXPECT_EQ(turns_remark(plan_of(10), 0, 0, 5), "");
  EXPECT_EQ(turns_remark(all, 0, 0, 5), "");
  EXPECT_EQ(turns_remark(plan_of(10, {{"nemesis.timeline", "2s:pause"}}), 3, 0, 5), "") << "its times are given";
  EXPECT_THAT(turns_remark(plan_of(5), 1, 0, 5), HasSubstr("0 of 1 kinds of faults fit into 5 s"));
}

}  // namespace
}  // namespace ordeal
