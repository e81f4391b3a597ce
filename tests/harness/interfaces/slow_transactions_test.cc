// Which transactions of a client are slow.

#include "harness/interfaces/slow_transactions.h"

#include <gtest/gtest.h>

#include <set>

namespace ordeal {
namespace {

Options options_of(const char* share, const char* pause) {
  Options options(slow_transaction_options());
  EXPECT_TRUE(options.set("txn.slow-share", share, "test"));
  EXPECT_TRUE(options.set("txn.slow", pause, "test"));
  return options;
}

TEST(SlowTransactions, AreTheShareThatWasAskedFor) {
  const Options options = options_of("0.25", "1500ms");
  std::set<int> firsts;
  for (std::uint64_t client = 0; client < 8; ++client) {
    SlowTransactions slow(options, client);
    int count = 0;
    for (int i = 0; i < 400; ++i) {
      const double pause_s = slow.next_pause_s();
      if (pause_s > 0 && count++ == 0) firsts.insert(i);
      EXPECT_TRUE(pause_s == 0 || pause_s == 1.5) << pause_s;
    }
    EXPECT_NEAR(count, 100, 1);
  }
  EXPECT_EQ(firsts, (std::set<int>{0, 1, 2, 3})) << "clients are slow at different times";
}

TEST(SlowTransactions, AreNoneUnlessAskedFor) {
  SlowTransactions never(Options(slow_transaction_options()), 3);
  SlowTransactions neither;
  SlowTransactions always(options_of("1", "2"), 3);
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(never.next_pause_s(), 0);
    EXPECT_EQ(neither.next_pause_s(), 0);
    EXPECT_EQ(always.next_pause_s(), 2);
  }
}

TEST(SlowTransactions, AreAPartOfAll) {
  Options options(slow_transaction_options());
  EXPECT_FALSE(options.set("txn.slow-share", "1.5", "test"));
  EXPECT_FALSE(options.set("txn.slow-share", "-0.1", "test"));
}

}  // namespace
}  // namespace ordeal
