#include "base/rng.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace ordeal {
namespace {

// The reference: splitmix64 from 0 fills the state of the authors' xoshiro256** code, whose first outputs these are.
TEST(Rng, IsXoshiro256StarStarSeededBySplitmix64) {
  Rng rng(0);
  EXPECT_EQ(rng.next(), 0x99EC5F36CB75F2B4u);
  EXPECT_EQ(rng.next(), 0xBF6E1F784956452Au);
  EXPECT_EQ(rng.next(), 0x1A5F849D4933E6E0u);
}

TEST(Rng, SplitDependsOnTheSeedAndTheLabelOnly) {
  Rng a(7), b(7);
  for (int i = 0; i < 100; ++i) (void)b.next();
  EXPECT_EQ(a.split(3).next(), b.split(3).next());
  EXPECT_EQ(a.split("x").next(), b.split("x").next());
  EXPECT_NE(a.split(3).next(), a.split(4).next());
  EXPECT_NE(a.split("x").next(), a.split("y").next());
  EXPECT_NE(Rng(7).split(3).next(), Rng(8).split(2).next());
}

TEST(Rng, BelowIsUniformAndInRange) {
  Rng rng(1);
  std::array<int, 6> seen{};
  for (int i = 0; i < 60'000; ++i) ++seen.at(rng.below(6));
  for (const int n : seen) EXPECT_NEAR(n, 10'000, 500);
}

TEST(Rng, BetweenReachesBothEndsAndTheWholeRange) {
  Rng rng(2);
  bool low = false, high = false;
  for (int i = 0; i < 1000; ++i) {
    const auto x = rng.between(-2, 2);
    ASSERT_GE(x, -2);
    ASSERT_LE(x, 2);
    low = low || x == -2;
    high = high || x == 2;
  }
  EXPECT_TRUE(low && high);
  (void)rng.between(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
}

TEST(Rng, ExponentialHasItsMeanAndDeviation) {
  Rng rng(3);
  constexpr int kDraws = 100'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.exponential(5);
    ASSERT_GE(x, 0);
    sum += x;
    squares += x * x;
  }
  const double mean = sum / kDraws;
  EXPECT_NEAR(mean, 5, 0.1);
  EXPECT_NEAR(std::sqrt(squares / kDraws - mean * mean), 5, 0.15);
}

TEST(Rng, WeightedFollowsTheWeightsAndNeverTakesZero) {
  Rng rng(4);
  std::array<int, 4> seen{};
  const std::array<double, 4> weights{0, 1, 3, 0};
  for (int i = 0; i < 40'000; ++i) ++seen.at(rng.weighted(weights));
  EXPECT_EQ(seen[0], 0);
  EXPECT_EQ(seen[3], 0);
  EXPECT_NEAR(seen[1], 10'000, 500);
  EXPECT_NEAR(seen[2], 30'000, 500);
}

TEST(Rng, ShuffleIsAPermutationAndSeeded) {
  std::vector<int> a(20);
  std::iota(a.begin(), a.end(), 0);
  auto b = a;
  const auto sorted = a;
  Rng(5).shuffle(std::span<int>(a));
  Rng(5).shuffle(std::span<int>(b));
  EXPECT_EQ(a, b);
  EXPECT_NE(a, sorted);
  std::sort(a.begin(), a.end());
  EXPECT_EQ(a, sorted);
}

}  // namespace
}  // namespace ordeal
