#include "session/campaign/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "session/campaign/closing.h"
#include "tests/support/program.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

Campaign campaign_of(const std::string& text) {
  return *plan_campaign(*parse_campaign("target = \"memory\"\n" + text, "c.toml"));
}

// The directory of shard `index` of three, in a store of its own, in which all its runs are valid but `invalid`.
std::string shard(const std::string& folder, std::size_t index, std::size_t invalid = 100,
                  const std::string& text = "seed = \"1..7\"\n") {
  Campaign campaign = campaign_of(text);
  campaign.shard = {index, 3};
  auto store = CampaignStore::create(campaign, folder + "/shard-" + std::to_string(index));
  for (std::size_t run = 0; run < campaign.runs.size(); ++run) {
    if (!campaign.shard.has(run)) continue;
    RunRecord record;
    record.run = run;
    record.verdict = run == invalid ? Verdict::invalid : Verdict::valid;
    record.directory = "memory-register/t";
    EXPECT_TRUE(store->keep(record));
  }
  return store->path();
}

TEST(Shard, EveryRunIsOfOneShard) {
  for (std::size_t of = 1; of <= 5; ++of) {
    for (std::size_t run = 0; run < 20; ++run) {
      std::size_t count = 0;
      for (std::size_t index = 1; index <= of; ++index) count += Shard{index, of}.has(run) ? 1 : 0;
      EXPECT_EQ(count, 1u);
    }
  }
  EXPECT_EQ(parse_shard("2/3")->index, 2u);
  for (const char* wrong : {"", "2", "0/3", "4/3", "a/b", "1/", "/3", "-1/3", "1/3/4", "1/1000000"})
    EXPECT_FALSE(parse_shard(wrong)) << wrong;
}

TEST(Shard, MergedIsTheWhole) {
  const testing::TemporaryDirectory folder;
  const auto all = merged({shard(folder.path(), 3), shard(folder.path(), 1), shard(folder.path(), 2, 4)});
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->outcome.runs.size(), 7u);
  EXPECT_EQ(closing_sentence(all->outcome), "7 runs: 1 invalid, 6 valid");
  EXPECT_EQ(all->outcome.runs[4].standing, Standing::invalid);
  EXPECT_EQ(all->outcome.runs[4].record.directory, folder.path() + "/shard-2/memory-register/t");
  EXPECT_EQ(all->campaign.shard.of, 1u);
}

TEST(Shard, OneThatIsMissingIsToldAndNotGreen) {
  const testing::TemporaryDirectory folder;
  (void)shard(folder.path(), 1);
  // A store stands for its newest campaign.
  const auto some = merged({folder.path() + "/shard-1", shard(folder.path(), 3)});
  ASSERT_TRUE(some) << some.error().message;
  EXPECT_EQ(closing_sentence(some->outcome), "7 runs: 2 not started, 5 valid");
  EXPECT_EQ(some->outcome.runs[1].why, "not started: shard 2 of 3 is missing");
  EXPECT_FALSE(is_green(gravest(some->outcome)));
}

TEST(Shard, WhatIsNotOfOneCampaignIsRefused) {
  const testing::TemporaryDirectory a;
  const testing::TemporaryDirectory b;
  const std::string first = shard(a.path(), 1);
  EXPECT_THAT(merged({first, shard(b.path(), 1)}).error().message, HasSubstr("are both shard 1 of 3"));
  EXPECT_THAT(merged({first, shard(b.path(), 2, 100, "seed = \"1..6\"\n")}).error().message,
              HasSubstr("one has 7 runs, the other 6"));
  EXPECT_THAT(merged({first, shard(b.path(), 2, 100, "seed = \"1..7\"\nrate = 7\n")}).error().message,
              HasSubstr("run 1, \"memory register seed=1\", is not the same"));
  EXPECT_THAT(merged({first, shard(b.path(), 2, 100, "seed = \"1..7\"\nretries = 7\n")}).error().message,
              HasSubstr("settings differ"));
  EXPECT_EQ(merged({"/nonexistent"}).error().code, ErrorCode::usage);
  // The same plan from another file, in another store, is the same campaign.
  EXPECT_TRUE(merged({first, shard(b.path(), 2, 100, "\n\nseed = \"1..7\"\nstore = \"elsewhere\"\n")}));
}

}  // namespace
}  // namespace ordeal
