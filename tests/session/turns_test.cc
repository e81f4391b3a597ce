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

// Five nodes leave two to be impaired; five seconds in force and one around it; the first after two seconds.
TEST(Turns, KindsTakeTurnsAsFarAsAMajorityIsLeft) {
  const Turns turns = estimate_turns(plan_of(40), 24, 5);
  EXPECT_EQ(turns.at_once, 2u);
  EXPECT_EQ(turns.fit, 12u);
  EXPECT_DOUBLE_EQ(turns.all_s, 2 + 12 * 6);
  EXPECT_EQ(estimate_turns(plan_of(40), 24, 3).fit, 6u);
  EXPECT_EQ(estimate_turns(plan_of(40), 3, 5).fit, 3u);
  EXPECT_EQ(estimate_turns(plan_of(1), 3, 5).fit, 0u);
}

TEST(Turns, WithoutAQuorumToKeepTheyComeTogetherAndInPeriodsOneByOne) {
  EXPECT_EQ(estimate_turns(plan_of(40, {{"nemesis.quorum", "any"}}), 24, 3).fit, 24u);
  const Turns turns = estimate_turns(plan_of(40, {{"nemesis.schedule", "periodic"}}), 24, 5);
  EXPECT_EQ(turns.at_once, 1u);
  EXPECT_EQ(turns.fit, 3u);
}

TEST(Turns, AreToldForAllFaultsAndWhenSomeDoNotFit) {
  const Plan all = plan_of(40, {{"nemesis.inapplicable", "skip"}}, "--nemesis all");
  EXPECT_EQ(turns_remark(all, 24, 5),
            "12 of 24 kinds of faults fit into 40 s, about 2 at a time; all would take 74 s. Those whose turn does not "
            "come are named in the results");
  EXPECT_THAT(turns_remark(all, 3, 5), HasSubstr("3 of 3 kinds of faults fit"));
  EXPECT_EQ(turns_remark(plan_of(40), 3, 5), "");
  EXPECT_THAT(turns_remark(plan_of(10), 3, 5), HasSubstr("2 of 3 kinds of faults fit into 10 s"));
  EXPECT_THAT(turns_remark(plan_of(10), 3, 5), HasSubstr("without a verdict"));
  EXPECT_EQ(turns_remark(plan_of(10), 0, 5), "");
}

}  // namespace
}  // namespace ordeal
