// The order in which keys come into use.

#include "workloads/key_order.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <vector>

namespace ordeal {
namespace {

KeyOrder order(const char* which, std::uint64_t seed) {
  Options options(std::vector<OptionSpec>{key_order_option("g2")});
  EXPECT_TRUE(options.set("g2.key-order", which, "test"));
  return KeyOrder(options, "g2", seed);
}

TEST(KeyOrder, AscendingIsTheNumberItself) {
  for (const std::int64_t n : {0, 1, 2, 1'000'000}) EXPECT_EQ(order("ascending", 7)(n), n);
}

// No key twice; of neighbours none lies near the other; other seeds scatter otherwise.
TEST(KeyOrder, RandomScattersWithoutRepeating) {
  const KeyOrder random = order("random", 7);
  constexpr std::int64_t kCount = 20'000;
  std::set<std::int64_t> seen;
  std::int64_t near = 0, previous = 0, upper_half = 0;
  for (std::int64_t n = 0; n < kCount; ++n) {
    const std::int64_t key = random(n);
    EXPECT_TRUE(key >= 0 && key < (std::int64_t{1} << 31)) << key;
    EXPECT_TRUE(seen.insert(key).second) << n;
    near += n > 0 && std::abs(key - previous) < 1'000'000 ? 1 : 0;
    upper_half += key >= (std::int64_t{1} << 30) ? 1 : 0;
    previous = key;
  }
  EXPECT_LT(near, kCount / 100);
  EXPECT_NEAR(static_cast<double>(upper_half), kCount / 2.0, kCount / 50.0);
  EXPECT_EQ(random(5), order("random", 7)(5));
  EXPECT_NE(random(5), order("random", 8)(5));
}

}  // namespace
}  // namespace ordeal
