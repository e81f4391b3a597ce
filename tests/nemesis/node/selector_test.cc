#include "nemesis/node/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "nemesis/node/draw.h"
#include "tests/nemesis/recording_node.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::RecordingNode;

// A target that knows its leaders, or does not.
class LedTarget final : public Target, public Target::Roles {
 public:
  std::string_view name() const override { return "led"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override { return fail(ErrorCode::unsupported, "no clients"); }
  Target::Roles* roles() override { return knows ? this : nullptr; }
  Result<std::vector<std::size_t>> primaries(Deadline) override { return leaders; }
  bool knows = true;
  std::vector<std::size_t> leaders = {3};
};

class SelectorTest : public ::testing::Test {
 protected:
  SelectorTest() {
    for (int i = 1; i <= 5; ++i) {
      cluster_.nodes.push_back(
          std::make_unique<RecordingNode>("n" + std::to_string(i), "10.0.0." + std::to_string(i),
                                          [](const std::string&) -> Result<CommandOutput> { return CommandOutput{}; }));
    }
  }
  Selection select(std::string_view text, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    auto selection = select_nodes(text, context_, random);
    EXPECT_TRUE(selection);
    next_draw_ = random();
    return selection ? *selection : Selection{};
  }

  Cluster cluster_;
  LedTarget target_;
  Options options_;
  FaultContext context_{cluster_, target_, options_};
  std::uint64_t next_draw_ = 0;
};

TEST_F(SelectorTest, SizesAreWhatTheNamesSay) {
  std::set<std::size_t> subset_sizes, minority_sizes, majority_sizes;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    EXPECT_EQ(select("one", seed).nodes.size(), 1U);
    minority_sizes.insert(select("minority", seed).nodes.size());
    majority_sizes.insert(select("majority", seed).nodes.size());
    EXPECT_THAT(select("all", seed).nodes, ElementsAre(0, 1, 2, 3, 4));
    const auto subset = select("subset", seed).nodes;
    subset_sizes.insert(subset.size());
    EXPECT_EQ(std::set<std::size_t>(subset.begin(), subset.end()).size(), subset.size());
  }
  EXPECT_EQ(subset_sizes, (std::set<std::size_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(minority_sizes, (std::set<std::size_t>{1, 2}));
  EXPECT_EQ(majority_sizes, (std::set<std::size_t>{3, 4, 5}));
}

// Two of four are no minority.
TEST_F(SelectorTest, HalfIsNoMinority) {
  cluster_.nodes.resize(4);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(select("minority", seed).nodes.size(), 1U);
    EXPECT_GE(select("majority", seed).nodes.size(), 3U);
  }
}

// Two of three are a majority: of few nodes a minority is one.
TEST_F(SelectorTest, AMinorityOfFewNodesIsOne) {
  for (const std::size_t nodes : {3u, 2u, 1u}) {
    cluster_.nodes.resize(nodes);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      EXPECT_EQ(select("minority", seed).nodes.size(), 1U) << nodes;
      const std::size_t most = select("majority", seed).nodes.size();
      EXPECT_GT(2 * most, nodes);
      EXPECT_LE(most, nodes);
    }
  }
}

TEST_F(SelectorTest, FollowersAreAllThatDoNotLead) {
  EXPECT_THAT(select("followers", 1).nodes, ElementsAre(0, 1, 2, 4));
  const std::uint64_t draw = next_draw_;
  target_.leaders = {};
  EXPECT_THAT(select("followers", 1).note, HasSubstr("no node said that it leads"));
  EXPECT_EQ(next_draw_, draw);
  target_.leaders = {0, 1, 2, 3, 4};
  EXPECT_EQ(select("followers", 1).nodes.size(), 1U);
  target_.knows = false;
  EXPECT_THAT(selector_problem("followers", context_), HasSubstr("cannot say"));
}

TEST_F(SelectorTest, ARingHasNoNeighboursAndAThirdIsLessThanOne) {
  std::set<std::vector<std::size_t>> rings;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto ring = select("ring", seed).nodes;
    ASSERT_EQ(ring.size(), 2U);
    EXPECT_TRUE(ring[1] - ring[0] == 2 || ring[1] - ring[0] == 3) << ring[0] << ", " << ring[1];
    rings.insert(ring);
    EXPECT_EQ(select("minority-third", seed).nodes.size(), 1U);
  }
  EXPECT_EQ(rings.size(), 5U);
  for (int i = 6; i <= 7; ++i) {
    cluster_.nodes.push_back(
        std::make_unique<RecordingNode>("n" + std::to_string(i), "10.0.0." + std::to_string(i),
                                        [](const std::string&) -> Result<CommandOutput> { return CommandOutput{}; }));
  }
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto three = select("ring", seed).nodes;
    ASSERT_EQ(three.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_GE((three[(i + 1) % 3] + 7 - three[i]) % 7, 2U) << "no two are neighbours";
  }
  for (const std::size_t nodes : {4u, 3u, 2u, 1u}) {
    cluster_.nodes.resize(nodes);
    EXPECT_EQ(select("ring", 1).nodes.size(), 1U) << nodes;
  }
  cluster_.nodes.resize(3);
  EXPECT_THAT(selector_problem("minority-third", context_), HasSubstr("four nodes"));
}

TEST_F(SelectorTest, ANamedSetIsTakenAsItIs) {
  EXPECT_THAT(select("n4,n2,n4", 1).nodes, ElementsAre(1, 3));
  EXPECT_THAT(selector_problem("n4,n9", context_), HasSubstr("\"n9\""));
  EXPECT_THAT(selector_problem("minorty", context_), HasSubstr("did you mean \"minority\""));
  EXPECT_EQ(selector_problem("n4,n2", context_), "");
}

TEST_F(SelectorTest, WhoLeadsDoesNotShiftTheDrawsThatFollow) {
  EXPECT_THAT(select("primaries", 5).nodes, ElementsAre(3));
  const std::uint64_t draw = next_draw_;
  target_.leaders = {};
  const Selection fallback = select("primaries", 5);
  EXPECT_EQ(fallback.nodes.size(), 1U);
  EXPECT_THAT(fallback.note, HasSubstr("no node said that it leads"));
  EXPECT_EQ(next_draw_, draw);
}

TEST_F(SelectorTest, RandomDrawsLeadersOnlyWhereTheyAreKnown) {
  std::set<std::string> drawn;
  for (std::uint64_t seed = 0; seed < 50; ++seed) drawn.insert(select("random", seed).how);
  EXPECT_EQ(drawn, (std::set<std::string>{"minority", "one", "primaries"}));
  target_.knows = false;
  drawn.clear();
  for (std::uint64_t seed = 0; seed < 50; ++seed) drawn.insert(select("random", seed).how);
  EXPECT_EQ(drawn, (std::set<std::string>{"minority", "one"}));
  EXPECT_THAT(selector_problem("primaries", context_), HasSubstr("cannot say"));
}

TEST_F(SelectorTest, SameSeedSameNodes) {
  for (const char* text : {"one", "minority", "majority", "subset", "random"}) {
    EXPECT_EQ(select(text, 9).nodes, select(text, 9).nodes) << text;
  }
}

TEST(Draw, OrderIsAPermutationAndBoundsHold) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 100; ++i) {
    const auto order = draw_order(random, 7);
    EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), 7U);
    const double d = draw_between(random, 2, 3);
    EXPECT_TRUE(d >= 2 && d < 3);
  }
}

}  // namespace
}  // namespace ordeal
