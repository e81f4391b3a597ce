// What the injections of a run know of each other, and who waits for whom.
#include "nemesis/engine/roster.h"

#include <gmock/gmock.h>

#include <thread>

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RosterTest : public ::testing::Test {
 protected:
  RosterTest() {
    kill_.name = "kill";
    disk_.name = "disk";
    disk_.crashes = true;
    stop_.request_stop();
  }
  void tell(int id, FaultStep step, std::int64_t time_ns, const std::string& node = "") {
    Value::Map more;
    if (!node.empty()) more.emplace_back(Value("nodes"), Value::list({Value(node)}));
    roster_.apply({id, "kill", step, time_ns, fault_event_value(id, step, std::move(more))});
  }
  // Does not wait when it may not join.
  bool joins(int id, std::uint64_t ticket, std::vector<std::size_t> down, bool quiet = false) {
    return roster_.join(id, ticket, {std::move(down), {}}, quiet, stop_.get_token());
  }

  static constexpr std::int64_t kSecond = 1'000'000'000;
  FaultFactory kill_;
  FaultFactory disk_;
  std::stop_source stop_;
  Roster roster_{5, true};
};

TEST_F(RosterTest, OthersHideWhatIsSeenUntilTheyHaveSettled) {
  for (const int id : {1, 2, 3}) roster_.add(id, kill_);
  tell(1, FaultStep::inject, 0, "n1");
  EXPECT_THAT(roster_.others_since(2, {"n1"}, 5), ElementsAre("kill (1)"));
  EXPECT_THAT(roster_.others_since(1, {"n1"}, 5), IsEmpty()) << "nobody hides itself";
  EXPECT_THAT(roster_.others_since(2, {"n2", "n3"}, 5), IsEmpty()) << "on other nodes";
  tell(1, FaultStep::healed, 10 * kSecond);
  EXPECT_THAT(roster_.others_since(2, {"n1"}, 9 * kSecond), ElementsAre("kill (1)")) << "in force since then";
  EXPECT_THAT(roster_.others_since(2, {"n1"}, 11 * kSecond), ElementsAre("kill (1)")) << "still settling";
  EXPECT_THAT(roster_.others_since(2, {"n1"}, 11 * kSecond + 1), IsEmpty());
  tell(3, FaultStep::planned, 0);
  EXPECT_THAT(roster_.others_since(2, {"n1"}, 20 * kSecond), IsEmpty()) << "planned is not in force";
}

TEST_F(RosterTest, WhatMayHaveCrashedTheTargetIsNamedAlsoWhenItIsOver) {
  roster_.add(1, disk_);
  roster_.add(2, kill_);
  tell(1, FaultStep::inject, 0, "n1");
  tell(1, FaultStep::healed, 5);
  tell(2, FaultStep::inject, 6, "n1");
  EXPECT_THAT(roster_.others_that_crash(2, {"n1"}), ElementsAre("kill (1)"));
  EXPECT_THAT(roster_.others_that_crash(2, {"n2"}), IsEmpty());
  EXPECT_THAT(roster_.others_that_crash(1, {"n1"}), IsEmpty()) << "a kill crashes no sound target";
}

TEST_F(RosterTest, AnInjectionJoinsOnlyWhenAQuorumIsLeft) {
  EXPECT_TRUE(joins(1, roster_.ticket(), {0, 1}));
  const auto second = roster_.ticket();
  EXPECT_FALSE(joins(2, second, {2}));
  const auto third = roster_.ticket();
  EXPECT_FALSE(joins(3, third, {0}));
  roster_.leave(1);
  EXPECT_TRUE(joins(2, second, {2}));
  EXPECT_TRUE(joins(3, third, {0}));
}

TEST_F(RosterTest, WhoHasWaitedLongerCountsAsInForce) {
  EXPECT_TRUE(joins(1, roster_.ticket(), {0, 1}));
  const auto large = roster_.ticket();
  EXPECT_FALSE(joins(2, large, {2, 3}));
  roster_.leave(1);
  const auto small = roster_.ticket();
  EXPECT_FALSE(joins(3, small, {0})) << "or the large one would wait for ever behind small ones";
  roster_.withdraw(large);
  EXPECT_TRUE(joins(3, small, {0}));
}

TEST_F(RosterTest, NobodyJoinsInQuietTimesAndAnybodyWithoutAQuorumToKeep) {
  EXPECT_FALSE(joins(1, roster_.ticket(), {}, true));
  Roster any(5, false);
  for (int id = 0; id < 5; ++id)
    EXPECT_TRUE(any.join(id, any.ticket(), {{static_cast<std::size_t>(id)}, {}}, false, stop_.get_token()));
}

TEST_F(RosterTest, TheWaitEndsWhenAnotherLeaves) {
  EXPECT_TRUE(joins(1, roster_.ticket(), {0, 1}));
  const auto ticket = roster_.ticket();
  std::jthread leaving([&] { roster_.leave(1); });
  while (!roster_.join(2, ticket, {{2, 3}, {}}, false, {})) {
  }
  EXPECT_FALSE(joins(3, roster_.ticket(), {0}));
}

}  // namespace
}  // namespace ordeal
