// A hundred simulated clusters, by the normal build: no invariant broken, no history that is not linearizable.

#include <gtest/gtest.h>

#include "targets/log/server/sim/run.h"

namespace ordeal::log::sim {
namespace {

class Seeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Seeds, NothingGoesWrong) {
  RunResult sum;
  for (std::uint64_t seed = GetParam(); seed < GetParam() + 25; ++seed) {
    const RunResult result = run(draw_plan(seed));
    ASSERT_FALSE(result.violation) << "seed " << seed << ": " << result.violation->kind << ": "
                                   << result.violation->what;
    ASSERT_EQ(result.messages_refused, 0U) << "seed " << seed;
    sum.operations_ok += result.operations_ok;
    sum.committed += result.committed;
    sum.terms_led += result.terms_led;
    sum.restarts += result.restarts;
    sum.snapshots_installed += result.snapshots_installed;
    sum.members_changed += result.members_changed;
  }
  // … and it was no walk in the park.
  EXPECT_GT(sum.operations_ok, 500U);
  EXPECT_GT(sum.committed, 500U);
  EXPECT_GT(sum.terms_led, 25U);
  EXPECT_GT(sum.restarts, 25U);
  EXPECT_GT(sum.snapshots_installed, 0U);
  EXPECT_GT(sum.members_changed, 5U);
}
INSTANTIATE_TEST_SUITE_P(Sim, Seeds, testing::Values(1, 26, 51, 76));

TEST(Sim, TheSameSeedIsTheSameRun) {
  const RunResult once = run(draw_plan(12)), again = run(draw_plan(12), true), other = run(draw_plan(13));
  EXPECT_EQ(once.digest, again.digest);
  EXPECT_EQ(once.events, again.events);
  EXPECT_FALSE(again.trace.empty());
  EXPECT_NE(once.digest, other.digest);
}

}  // namespace
}  // namespace ordeal::log::sim
