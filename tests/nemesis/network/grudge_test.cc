#include "nemesis/network/grudge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

bool drops(const Grudge& grudge, std::size_t at, std::size_t from) {
  return std::binary_search(grudge.drops[at].begin(), grudge.drops[at].end(), from);
}

// Whom node i hears, itself among them.
std::set<std::size_t> heard(const Grudge& grudge, std::size_t i) {
  std::set<std::size_t> out;
  for (std::size_t j = 0; j < grudge.drops.size(); ++j) {
    if (!drops(grudge, i, j)) out.insert(j);
  }
  return out;
}

Grudge make(const std::string& shape, std::size_t n, std::uint64_t seed, CutDirection direction = CutDirection::both,
            const std::vector<std::size_t>& primaries = {0}) {
  std::mt19937_64 random(seed);
  auto grudge = make_grudge(shape, n, direction, primaries, random);
  EXPECT_TRUE(grudge) << shape << " of " << n << ": " << grudge.error().message;
  return grudge ? *grudge : Grudge{{}, {}, std::vector<std::vector<std::size_t>>(n)};
}

std::vector<std::string> all_shapes() {
  auto all = blind_shapes();
  all.emplace_back("primaries");
  return all;
}

TEST(Grudge, EveryShapeCutsSomethingNeverItselfAndBothWays) {
  for (const auto& shape : all_shapes()) {
    for (std::size_t n = 3; n <= 9; ++n) {
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Grudge grudge = make(shape, n, seed);
        EXPECT_FALSE(grudge.cut.empty()) << shape << n;
        for (std::size_t i = 0; i < n; ++i) {
          EXPECT_FALSE(drops(grudge, i, i));
          for (std::size_t j = 0; j < n; ++j) EXPECT_EQ(drops(grudge, i, j), drops(grudge, j, i)) << shape << n;
        }
        std::set<std::pair<std::size_t, std::size_t>> pairs;
        for (const auto& [a, b] : grudge.cut) EXPECT_TRUE(pairs.insert(std::minmax(a, b)).second) << "a pair twice";
      }
    }
  }
}

TEST(Grudge, OneWayCutsDropExactlyOneDirectionAndTheCoinTurnsItRound) {
  for (const auto& shape : all_shapes()) {
    const Grudge deaf = make(shape, 5, 7, CutDirection::first_is_deaf);
    const Grudge unheard = make(shape, 5, 7, CutDirection::first_is_unheard);
    for (std::size_t i = 0; i < 5; ++i) {
      for (std::size_t j = 0; j < 5; ++j) {
        EXPECT_FALSE(drops(deaf, i, j) && drops(deaf, j, i)) << shape;
        EXPECT_EQ(drops(deaf, i, j), drops(unheard, j, i)) << shape;
      }
    }
    EXPECT_EQ(deaf.cut, unheard.cut);
  }
}

TEST(Grudge, SizesOfTheSides) {
  for (std::size_t n = 3; n <= 9; ++n) {
    std::set<std::size_t> minorities;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      EXPECT_THAT(make("halves", n, seed).groups[0], SizeIs(n / 2));
      EXPECT_THAT(make("one", n, seed).groups[0], SizeIs(1));
      const std::size_t minority = make("majority", n, seed).groups[0].size();
      EXPECT_LT(2 * minority, n);
      minorities.insert(minority);
    }
    EXPECT_THAT(minorities, SizeIs((n - 1) / 2)) << "every size of a minority occurs";
  }
}

TEST(Grudge, EveryNodeIsDrawnAlone) {
  std::set<std::size_t> alone;
  for (std::uint64_t seed = 0; seed < 60; ++seed) alone.insert(make("one", 5, seed).groups[0][0]);
  EXPECT_THAT(alone, SizeIs(5));
}

TEST(Grudge, InAMajoritiesRingEveryNodeHearsAMajorityAndNoTwoTheSame) {
  for (std::size_t n = 3; n <= 11; ++n) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const Grudge grudge = make("majorities-ring", n, seed);
      std::set<std::set<std::size_t>> majorities;
      for (std::size_t i = 0; i < n; ++i) {
        EXPECT_GT(2 * heard(grudge, i).size(), n);
        if (n >= 4) {
          EXPECT_LT(heard(grudge, i).size(), n) << "nobody hears all, n=" << n;
        }
        majorities.insert(heard(grudge, i));
      }
      if (n >= 5) {
        EXPECT_THAT(majorities, SizeIs(n));
      }
    }
  }
}

TEST(Grudge, ABridgeHearsBothHalvesThatDoNotHearEachOther) {
  for (std::size_t n = 3; n <= 8; ++n) {
    const Grudge grudge = make("bridge", n, n);
    ASSERT_THAT(grudge.groups, SizeIs(3));
    EXPECT_THAT(heard(grudge, grudge.groups[1][0]), SizeIs(n));
    EXPECT_THAT(grudge.groups[0], SizeIs((n - 1) / 2)) << "of an even rest both have as many";
    EXPECT_THAT(grudge.groups[2], SizeIs(n / 2));
    EXPECT_EQ(grudge.cut.size(), grudge.groups[0].size() * grudge.groups[2].size());
    for (const std::size_t left : grudge.groups[0]) {
      EXPECT_THAT(heard(grudge, left), SizeIs(grudge.groups[0].size() + 1));
    }
  }
}

TEST(Grudge, PrimariesStandAloneAndApartFromEachOther) {
  const Grudge grudge = make("primaries", 5, 0, CutDirection::both, {1, 4});
  EXPECT_EQ(heard(grudge, 1), (std::set<std::size_t>{1}));
  EXPECT_EQ(heard(grudge, 4), (std::set<std::size_t>{4}));
  EXPECT_EQ(heard(grudge, 0), (std::set<std::size_t>{0, 2, 3}));
}

TEST(Grudge, WhatCannotBeSaysWhy) {
  std::mt19937_64 random;
  const auto small = make_grudge("bridge", 2, CutDirection::both, {}, random);
  ASSERT_FALSE(small);
  EXPECT_THAT(small.error().message, HasSubstr("needs 3 nodes"));
  EXPECT_EQ(make_grudge("primaries", 5, CutDirection::both, {}, random).error().code, ErrorCode::unsupported);
  const auto unknown = make_grudge("halfs", 5, CutDirection::both, {}, random);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::usage);
  EXPECT_THAT(unknown.error().message, HasSubstr("majorities-ring"));
  EXPECT_THAT(unknown.error().message, HasSubstr("primaries"));
  EXPECT_THAT(unknown.error().message, HasSubstr("random"));
}

TEST(Sides, AreNamedAndWhoIsOnNoneHearsAll) {
  const std::vector<std::string> nodes = {"n1", "n2", "n3", "n4"};
  using Sides = std::vector<std::vector<std::size_t>>;
  EXPECT_EQ(parse_sides("n2,n1|n3", nodes).value(), (Sides{{0, 1}, {2}}));
  EXPECT_EQ(parse_sides(" n4 | rest ", nodes).value(), (Sides{{3}, {0, 1, 2}}));
  EXPECT_EQ(parse_sides("rest|n1|n2", nodes).value(), (Sides{{2, 3}, {0}, {1}}));
  const Grudge both = grudge_of_sides({{0, 1}, {2}}, 4, CutDirection::both);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      const bool apart = (i < 2 && j == 2) || (j < 2 && i == 2);
      EXPECT_EQ(drops(both, i, j), apart) << i << " " << j;
    }
  }
  const Grudge deaf = grudge_of_sides({{0}, {1, 2}}, 3, CutDirection::first_is_deaf);
  EXPECT_TRUE(drops(deaf, 0, 1) && drops(deaf, 0, 2));
  EXPECT_FALSE(drops(deaf, 1, 0) || drops(deaf, 2, 0) || drops(deaf, 1, 2));
}

TEST(Sides, BadOnesAreToldWithWhatWasMeant) {
  const std::vector<std::string> nodes = {"alpha", "beta", "gamma"};
  const auto problem = [&](const char* text) {
    const auto sides = parse_sides(text, nodes);
    return sides ? std::string("fine") : sides.error().message;
  };
  EXPECT_THAT(problem("alpha|betta"), HasSubstr("did you mean \"beta\"?"));
  EXPECT_THAT(problem("alpha|"), HasSubstr("a side is empty"));
  EXPECT_THAT(problem("alpha,beta"), HasSubstr("two sides or more"));
  EXPECT_THAT(problem("alpha|beta,alpha"), HasSubstr("alpha is on two sides"));
  EXPECT_THAT(problem("alpha,alpha|beta"), HasSubstr("alpha is named twice"));
  EXPECT_THAT(problem("alpha,beta,gamma|rest"), HasSubstr("no node is left"));
  EXPECT_THAT(problem("rest|rest"), HasSubstr("twice"));
  EXPECT_THAT(problem(""), HasSubstr("a side is empty"));
}

}  // namespace
}  // namespace ordeal
