#include "nemesis/engine/schedule.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "nemesis/engine/quorum.h"

namespace ordeal {
namespace {

TEST(Schedule, SameSeedSameSlotsOtherSeedOthers) {
  const Schedule one(42, 3, 5, 5);
  const Schedule same(42, 3, 5, 5);
  const Schedule other(43, 3, 5, 5);
  bool differs = false;
  for (std::size_t lane = 0; lane < 3; ++lane) {
    for (std::size_t k = 0; k < 20; ++k) {
      Slot a = *one.slot(lane, k);
      Slot b = *same.slot(lane, k);
      EXPECT_EQ(a.id, b.id);
      EXPECT_EQ(a.wait_s, b.wait_s);
      EXPECT_EQ(a.duration_s, b.duration_s);
      EXPECT_EQ(a.random(), b.random());
      differs = differs || a.wait_s != other.slot(lane, k)->wait_s;
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
      Slot slot = *schedule.slot(lane, k);
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
        const Slot slot = *schedule.slot(lane, k);
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
      if (schedule.slot(lane, 0)->wait_s < schedule.slot(earliest, 0)->wait_s) earliest = lane;
    }
    EXPECT_DOUBLE_EQ(schedule.slot(earliest, 0)->wait_s, 2.0);
    first.insert(earliest);
  }
  EXPECT_EQ(first.size(), 3U);
}

// The schedule of a seed is a contract: these are the figures of before there were other kinds of schedules.
TEST(Schedule, TheSlotsOfASeedStayWhatTheyWere) {
  const Schedule schedule(42, 3, 5, 5);
  std::vector<double> waits;
  for (std::size_t lane = 0; lane < 3; ++lane) waits.push_back(schedule.slot(lane, 1)->wait_s);
  EXPECT_EQ(fmt::format("{:.6f}", fmt::join(waits, " ")), "10.110689 8.723419 13.982992");
  EXPECT_EQ(schedule.slot(1, 2)->random(), 10765861241870084505U);
}

TEST(Schedule, PeriodicFaultsTakeTurnsAtFixedTimes) {
  const Schedule schedule = Schedule::periodic(7, 2, 3, 2);
  for (std::size_t turn = 0; turn < 10; ++turn) {
    const auto slot = schedule.slot(turn % 2, turn / 2);
    ASSERT_TRUE(slot);
    EXPECT_DOUBLE_EQ(slot->at_s, 3 + 5 * static_cast<double>(turn));
    EXPECT_DOUBLE_EQ(slot->duration_s, 2);
    EXPECT_EQ(slot->id, static_cast<int>(turn) + 1);
  }
  EXPECT_NE(Schedule::periodic(8, 2, 3, 2).slot(0, 0)->random(), Schedule::periodic(7, 2, 3, 2).slot(0, 0)->random());
}

TEST(Schedule, ScriptedLanesEndWhenTheyAreDone) {
  const Schedule schedule = Schedule::scripted(1, {{5, 3, 0, 1}, {2, 1, 4, 3}, {1, 1, 2, 0}});
  EXPECT_DOUBLE_EQ(schedule.slot(0, 0)->at_s, 5);
  EXPECT_DOUBLE_EQ(schedule.slot(0, 0)->duration_s, 3);
  EXPECT_FALSE(schedule.slot(0, 1));
  EXPECT_DOUBLE_EQ(schedule.slot(1, 2)->at_s, 10);
  EXPECT_FALSE(schedule.slot(1, 3));
  EXPECT_DOUBLE_EQ(schedule.slot(2, 1000)->at_s, 2001);
}

TEST(Swarm, IsASubsetThatDependsOnSeedAndNamesOnly) {
  const std::vector<std::string> all = {"clock", "kill", "partition", "pause"};
  std::map<std::string, int> chosen;
  std::set<std::vector<bool>> subsets;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Swarm swarm = draw_swarm(seed, all);
    subsets.insert(swarm.chosen);
    std::vector<std::string> some;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (swarm.chosen[i]) some.push_back(all[i]);
      EXPECT_GE(swarm.intensities[i].interval, 0.5);
      EXPECT_LE(swarm.intensities[i].interval, 2.0);
      EXPECT_GE(swarm.intensities[i].duration, 0.5);
      EXPECT_LE(swarm.intensities[i].duration, 2.0);
    }
    ASSERT_FALSE(some.empty()) << seed;
    for (const auto& name : some) ++chosen[name];
    // To draw again from what was chosen leaves nothing out.
    EXPECT_EQ(draw_swarm(seed, some).chosen, std::vector<bool>(some.size(), true)) << seed;
    // A further fault changes nothing for the others, but for the one that is chosen when no other is.
    auto more = all;
    more.emplace_back("memory");
    const Swarm wider = draw_swarm(seed, more);
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(wider.intensities[i].interval, swarm.intensities[i].interval);
      EXPECT_TRUE(some.size() == 1 || wider.chosen[i] == swarm.chosen[i]) << seed;
    }
  }
  EXPECT_EQ(subsets.size(), 15U) << "every subset but the empty one";
  for (const auto& name : all) {
    EXPECT_GT(chosen[name], 150) << name;
    EXPECT_LT(chosen[name], 280) << name;
  }
}

TEST(Quiet, FaultsWaitUntilItIsOverAndNoneBeginsJustBefore) {
  const Quiet none;
  EXPECT_EQ(none.wait_s(5), 0);
  EXPECT_TRUE(std::isinf(none.next_s(5)));
  const Quiet cycle{20, 5, -1};  // quiet from 15 to 20, from 35 to 40, …
  EXPECT_EQ(cycle.wait_s(0), 0);
  EXPECT_EQ(cycle.wait_s(13.9), 0);
  EXPECT_DOUBLE_EQ(cycle.wait_s(14.5), 5.5);
  EXPECT_DOUBLE_EQ(cycle.wait_s(17), 3);
  EXPECT_DOUBLE_EQ(cycle.next_s(3), 15);
  EXPECT_DOUBLE_EQ(cycle.next_s(17), 17);
  EXPECT_DOUBLE_EQ(cycle.next_s(20), 35);
  const Quiet end{20, 5, 38};
  EXPECT_EQ(end.wait_s(22), 0);
  EXPECT_TRUE(std::isinf(end.wait_s(36))) << "the end begins within the quiet time";
  EXPECT_TRUE(std::isinf(end.wait_s(50)));
  const Quiet late{0, 0, 30};
  EXPECT_EQ(late.wait_s(28), 0);
  EXPECT_TRUE(std::isinf(late.wait_s(29.5)));
}

TEST(Quiet, TheLastSecondOfTheMainPhaseIsTooLate) {
  const Quiet unknown;
  EXPECT_FALSE(unknown.too_late(1e9));
  const Quiet known{0, 0, -1, 30};
  EXPECT_FALSE(known.too_late(0));
  EXPECT_FALSE(known.too_late(29));
  EXPECT_TRUE(known.too_late(29.001));
  EXPECT_TRUE(known.too_late(31));
  EXPECT_TRUE(std::isinf(known.next_s(29.5))) << "what is in force stays so to the end";
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

TEST(Quorum, WhatNeedsANodeWaitsUntilItIsUp) {
  const Impairment clock{{}, {}, {}, {1, 2}};
  EXPECT_FALSE(may_join(5, {{{2}, {}}}, clock)) << "its processes do not run";
  EXPECT_TRUE(may_join(5, {{{3}, {}}}, clock));
  EXPECT_TRUE(may_join(5, {clock}, {{2}, {}})) << "what needs it bears that it goes down";
  EXPECT_TRUE(may_join(5, {{{}, {{1, 2}}}, clock}, clock)) << "it works, and so do both";
}

TEST(Quorum, ARollCountsWithWhicheverNodeItHasDown) {
  const Impairment roll{{}, {}, {0, 1, 2}};
  EXPECT_TRUE(leaves_quorum(5, {roll}));
  EXPECT_TRUE(may_join(5, {roll}, {{4}, {}}));
  EXPECT_FALSE(may_join(5, {roll}, {{3, 4}, {}})) << "with one of the roll's, three are down";
  EXPECT_FALSE(may_join(5, {roll}, {{2}, {}})) << "both act on the processes of n3";
  EXPECT_FALSE(may_join(5, {{{1}, {}}}, roll));
  EXPECT_FALSE(may_join(5, {roll}, {{}, {}, {2, 3}}));
  EXPECT_TRUE(may_join(5, {roll}, {{}, {}, {3, 4}})) << "two rolls, one node of each";
  EXPECT_FALSE(may_join(4, {roll}, {{}, {}, {3}})) << "two of four";
  EXPECT_FALSE(may_join(5, {roll}, {{}, {{0, 4}}})) << "a node that is cut off may not serve again";
  EXPECT_TRUE(may_join(5, {roll}, {{}, {{3, 4}}}));
  EXPECT_TRUE(may_join(1, {}, {{}, {}, {0}})) << "it was asked for";
}

}  // namespace
}  // namespace ordeal
