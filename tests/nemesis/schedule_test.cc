#include "nemesis/schedule.h"

#include <gtest/gtest.h>

#include <set>

#include "nemesis/quorum.h"

namespace ordeal {
namespace {

TEST(Schedule, SameSeedSameSlotsOtherSeedOthers) {
  const Schedule one(42, 3, 5, 5);
  const Schedule same(42, 3, 5, 5);
  const Schedule other(43, 3, 5, 5);
  bool differs = false;
  for (std::size_t lane = 0; lane < 3; ++lane) {
    for (std::size_t k = 0; k < 20; ++k) {
      Slot a = one.slot(lane, k);
      Slot b = same.slot(lane, k);
      EXPECT_EQ(a.id, b.id);
      EXPECT_EQ(a.wait_s, b.wait_s);
      EXPECT_EQ(a.duration_s, b.duration_s);
      EXPECT_EQ(a.random(), b.random());
      differs = differs || a.wait_s != other.slot(lane, k).wait_s;
    }
  }
  EXPECT_TRUE(differs);
}

TEST(Schedule, IdsAndParametersAreUniqueToEachInjection) {
  const Schedule schedule(7, 3, 5, 5);
  std::set<int> ids;
  std::set<std::uint64_t> draws;
  for (std::size_t lane = 0; lane < 3; ++lane) {
    for (std::size_t k = 0; k < 50; ++k) {
      Slot slot = schedule.slot(lane, k);
      EXPECT_TRUE(ids.insert(slot.id).second);
      EXPECT_TRUE(draws.insert(slot.random()).second);
    }
  }
  EXPECT_EQ(*ids.begin(), 1);
}

TEST(Schedule, EveryKindOccursAtLeastTwiceInAMinuteWhateverTheSeed) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Schedule schedule(seed, 3, 5, 5);
    for (std::size_t lane = 0; lane < 3; ++lane) {
      double at = 0;
      int begun = 0;
      // Two seconds for injecting and proving each, ten of the sixty for the quiet end.
      for (std::size_t k = 0; at < 50; ++k) {
        const Slot slot = schedule.slot(lane, k);
        at += slot.wait_s + slot.duration_s + 2;
        if (at < 50) ++begun;
        EXPECT_GE(slot.duration_s, 3.0);
        EXPECT_LE(slot.duration_s, 7.0);
      }
      EXPECT_GE(begun, 2) << "seed " << seed << ", lane " << lane;
    }
  }
}

TEST(Schedule, TheFirstInjectionsOfTheLanesAreStaggeredInEveryOrder) {
  std::set<std::size_t> first;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Schedule schedule(seed, 3, 5, 5);
    std::size_t earliest = 0;
    for (std::size_t lane = 1; lane < 3; ++lane) {
      if (schedule.slot(lane, 0).wait_s < schedule.slot(earliest, 0).wait_s) earliest = lane;
    }
    EXPECT_DOUBLE_EQ(schedule.slot(earliest, 0).wait_s, 2.0);
    first.insert(earliest);
  }
  EXPECT_EQ(first.size(), 3U);
}

TEST(Quorum, ALeaderNeedsAMajorityThatIsUpAndHearsIt) {
  EXPECT_TRUE(leaves_quorum(5, {}));
  EXPECT_TRUE(leaves_quorum(5, {{{0, 1}, {}}}));
  EXPECT_FALSE(leaves_quorum(5, {{{0, 1}, {}}, {{2}, {}}}));
  // A ring of majorities: each node reaches three of five; without one of them, some still do.
  const Impairment ring{{}, {{0, 2}, {1, 3}, {2, 4}, {3, 0}, {4, 1}}};
  EXPECT_TRUE(leaves_quorum(5, {ring}));
  EXPECT_TRUE(leaves_quorum(5, {ring, {{0}, {}}}));
  EXPECT_FALSE(leaves_quorum(5, {ring, {{0, 2}, {}}}));
  // Halves of four leave nobody a majority.
  EXPECT_FALSE(leaves_quorum(4, {{{}, {{0, 2}, {0, 3}, {1, 2}, {1, 3}}}}));
  EXPECT_FALSE(leaves_quorum(1, {{{0}, {}}}));
}

TEST(Quorum, AFaultWaitsForOthersButNotForItself) {
  const Impairment one{{0}, {}};
  const Impairment two{{1, 2}, {}};
  const Impairment all{{0, 1, 2, 3, 4}, {}};
  EXPECT_TRUE(may_join(5, {}, two));
  EXPECT_FALSE(may_join(5, {one}, two)) << "together they take three of five";
  EXPECT_FALSE(may_join(5, {one}, one)) << "the same node twice";
  EXPECT_TRUE(may_join(5, {one}, {{4}, {}}));
  EXPECT_TRUE(may_join(5, {one}, all)) << "it takes the quorum all alone: it was asked to";
  const Impairment minority_cut_off{{}, {{0, 2}, {0, 3}, {0, 4}, {1, 2}, {1, 3}, {1, 4}}};
  EXPECT_TRUE(may_join(5, {minority_cut_off}, one)) << "it is on the minority's side anyway";
  EXPECT_FALSE(may_join(5, {minority_cut_off}, {{3}, {}}));
}

}  // namespace
}  // namespace ordeal
