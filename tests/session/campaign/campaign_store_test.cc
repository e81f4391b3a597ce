#include "session/campaign/campaign_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "tests/support/program.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

Campaign sample() {
  const auto file = parse_campaign(
      "target = \"memory\"\nseed = \"1..3\"\nretries = 2\nbudget = \"1h\"\nexpect = \"invalid: stale-read\"\n[set]\n"
      "register.keys = 2\n",
      "folder/nightly.toml");
  return *plan_campaign(*file);
}

RunRecord record(std::size_t run, Verdict verdict) {
  RunRecord out;
  out.run = run;
  out.verdict = verdict;
  out.directory = "memory-register/t";
  return out;
}

TEST(CampaignStore, ComesBackAsItWasWithWhatWasPlayed) {
  const testing::TemporaryDirectory folder;
  const Campaign campaign = sample();
  {
    auto store = CampaignStore::create(campaign, folder.path());
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_THAT(store->path(), HasSubstr("/campaigns/nightly/"));
    ASSERT_TRUE(store->keep(record(1, Verdict::valid)));
    // Somebody is at it; reading is free.
    const auto other = CampaignStore::resume(store->path());
    ASSERT_FALSE(other);
    EXPECT_THAT(other.error().message, HasSubstr("somebody is playing"));
    EXPECT_TRUE(read_stored_campaign(store->path()));
  }
  auto store = CampaignStore::resume(latest_campaign(folder.path()));
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_EQ(store->records().size(), 1u);
  EXPECT_EQ(store->records()[0].to_value(), record(1, Verdict::valid).to_value());
  ASSERT_EQ(store->campaign().runs.size(), 3u);
  EXPECT_EQ(store->campaign().settings.to_value(), campaign.settings.to_value());
  for (std::size_t i = 0; i < 3; ++i) {
    const PlannedRun& now = store->campaign().runs[i];
    EXPECT_EQ(now.name, campaign.runs[i].name);
    EXPECT_EQ(now.expect.text(), "invalid: stale-read");
    Plan plan = now.plan;
    EXPECT_EQ(plan.store, fs::canonical(folder.path()).string());
    plan.store = campaign.runs[i].plan.store;
    EXPECT_EQ(plan.to_value(), campaign.runs[i].plan.to_value());
  }
}

// A kill at any byte of the journal costs the run whose line it was, and no other.
TEST(CampaignStore, ATornLineIsCutOff) {
  const testing::TemporaryDirectory folder;
  std::string path;
  {
    auto store = CampaignStore::create(sample(), folder.path());
    path = store->path();
    ASSERT_TRUE(store->keep(record(0, Verdict::valid)));
    ASSERT_TRUE(store->keep(record(1, Verdict::invalid)));
  }
  const std::string journal = path + "/runs.jsonl";
  const std::string whole = *read_text_file(journal);
  const std::size_t first = whole.find('\n') + 1;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    std::ofstream(journal, std::ios::binary) << whole.substr(0, length);
    auto store = CampaignStore::resume(path);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ(store->records().size(), length == whole.size() ? 2u : length >= first ? 1u : 0u) << length;
    ASSERT_TRUE(store->keep(record(2, Verdict::unknown)));
    const auto again = read_stored_campaign(path);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->records.back().run, 2u);
  }
}

TEST(CampaignStore, OfARunThatWasPlayedTwiceTheLastCounts) {
  const testing::TemporaryDirectory folder;
  auto store = CampaignStore::create(sample(), folder.path());
  ASSERT_TRUE(store->keep(record(0, Verdict::unknown)));
  ASSERT_TRUE(store->keep(record(0, Verdict::invalid)));
  const auto read = read_stored_campaign(store->path());
  ASSERT_EQ(read->records.size(), 1u);
  EXPECT_EQ(read->records[0].verdict, Verdict::invalid);
}

TEST(CampaignStore, WhatIsNoneIsRefusedWithTheReason) {
  const testing::TemporaryDirectory folder;
  EXPECT_EQ(CampaignStore::resume(folder.path() + "/nothing").error().code, ErrorCode::not_found);
  EXPECT_THAT(CampaignStore::resume(folder.path()).error().message, HasSubstr("no campaign.json"));
  std::string path;
  {
    auto store = CampaignStore::create(sample(), folder.path());
    path = store->path();
  }
  std::ofstream(path + "/runs.jsonl") << "{\"run\":7,\"verdict\":\"valid\"}\n";
  EXPECT_THAT(CampaignStore::resume(path).error().message, HasSubstr("runs.jsonl:1: the campaign has no such run"));
  std::ofstream(path + "/runs.jsonl") << "nonsense\n";
  EXPECT_EQ(CampaignStore::resume(path).error().code, ErrorCode::input);
  std::string text = *read_text_file(path + "/campaign.json");
  const std::string version = "\"ordeal\":\"";
  text.insert(text.find(version) + version.size(), "9");
  std::ofstream(path + "/campaign.json") << text;
  EXPECT_THAT(CampaignStore::resume(path).error().message, HasSubstr("another version"));
}

TEST(CampaignStore, AnyFileNameIsAFolder) {
  const testing::TemporaryDirectory folder;
  for (const char* name : {"", "latest", "..", ".hidden", "a/b", "a\nb"}) {
    Campaign campaign = sample();
    campaign.name = name;
    const auto store = CampaignStore::create(campaign, folder.path());
    ASSERT_TRUE(store) << name << store.error().message;
    EXPECT_EQ(fs::path(store->path()).parent_path().parent_path().filename(), "campaigns") << name;
  }
}

}  // namespace
}  // namespace ordeal
