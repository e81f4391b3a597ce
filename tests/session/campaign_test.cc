#include "session/campaign.h"

#include <gtest/gtest.h>

#include "session/resolve_plan.h"

namespace ordeal {
namespace {

TEST(Campaign, AFileOfScalarsIsOneRun) {
  const auto runs = parse_campaign(
      "target = \"etcd\"\nrate = 200\ntime-limit = \"60s\"\n[set]\n\"etcd.x\" = true\nregister.keys = 7\n", "c.toml");
  ASSERT_TRUE(runs) << runs.error().message;
  ASSERT_EQ(runs->size(), 1u);
  const RunRequest& run = runs->front();
  EXPECT_EQ(run.flags.at("target").text, "etcd");
  EXPECT_EQ(run.flags.at("rate").text, "200");
  EXPECT_EQ(run.flags.at("rate").origin, "c.toml:2");
  EXPECT_EQ(run.settings.at("etcd.x").text, "true");
  EXPECT_EQ(run.settings.at("register.keys").text, "7");
}

TEST(Campaign, ListsMultiplyInTheOrderOfTheFile) {
  const auto runs = parse_campaign("workload = [\"register\", \"set\"]\nseed = [1, 2, 3]\n", "c.toml");
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 6u);
  EXPECT_EQ((*runs)[0].flags.at("workload").text, "register");
  EXPECT_EQ((*runs)[1].flags.at("seed").text, "2");
  EXPECT_EQ((*runs)[3].flags.at("workload").text, "set");
  EXPECT_EQ((*runs)[3].flags.at("seed").text, "1");
}

TEST(Campaign, LevelsAreAnAxis) {
  const auto runs = parse_campaign(
      "target = \"memory\"\nworkload = \"set\"\nconsistency = [\"linearizable\", \"sequential\"]\n", "c.toml");
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 2u);
  const auto plan = resolve((*runs)[1]);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->options.string("set.consistency"), "sequential");
  EXPECT_EQ(plan->options.origin("set.consistency"), "c.toml:3");
}

TEST(Campaign, ATimelineIsOneSettingAndTheNemesisMayBeATable) {
  const auto runs = parse_campaign(
      "target = \"etcd\"\n[nemesis]\nquiet = \"5s\"\nschedule = [\"auto\", \"scripted\"]\n[[nemesis.timeline]]\nat = "
      "5.0\n"
      "fault = \"kill\"\nkill.nodes = \"n1\"\n[[nemesis.timeline]]\nwhen = \"leader-change\"\nfault = \"pause\"\n",
      "c.toml");
  ASSERT_TRUE(runs) << runs.error().message;
  ASSERT_EQ(runs->size(), 2u);
  EXPECT_EQ(runs->back().settings.at("nemesis.quiet").text, "5s");
  EXPECT_EQ(runs->back().settings.at("nemesis.schedule").text, "scripted");
  const Given& timeline = runs->back().settings.at("nemesis.timeline");
  EXPECT_EQ(timeline.text,
            R"([{"at":5.0,"fault":"kill","kill":{"nodes":"n1"}},{"fault":"pause","when":"leader-change"}])");
  EXPECT_EQ(timeline.origin, "c.toml:5");
  EXPECT_FALSE(runs->front().flags.contains("nemesis"));

  const auto matrix = parse_campaign("[nemesis]\nfaults = [\"kill\", \"kill,pause\"]\n", "c.toml");
  ASSERT_TRUE(matrix);
  EXPECT_EQ(matrix->at(1).flags.at("nemesis").text, "kill,pause");
  EXPECT_EQ(matrix->at(1).flags.at("nemesis").origin, "c.toml:2");

  const auto scalar = parse_campaign("[nemesis]\ntimeline = 3\n", "c.toml");
  ASSERT_FALSE(scalar);
  EXPECT_NE(scalar.error().message.find("[[nemesis.timeline]]"), std::string::npos) << scalar.error().message;
}

TEST(Campaign, ErrorsNameFileLineAndColumn) {
  const auto unknown = parse_campaign("target = \"etcd\"\nworklaod = \"set\"\n", "c.toml");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::usage);
  EXPECT_NE(unknown.error().message.find("c.toml:2:1"), std::string::npos) << unknown.error().message;
  EXPECT_NE(unknown.error().message.find("did you mean \"workload\"?"), std::string::npos) << unknown.error().message;

  const auto syntax = parse_campaign("target = \n", "c.toml");
  ASSERT_FALSE(syntax);
  EXPECT_NE(syntax.error().message.find("c.toml:1:"), std::string::npos) << syntax.error().message;

  EXPECT_FALSE(parse_campaign("seed = []\n", "c.toml"));
  EXPECT_FALSE(parse_campaign("target = { a = 1 }\n", "c.toml"));
  EXPECT_FALSE(read_campaign("/nonexistent/campaign.toml"));
}

}  // namespace
}  // namespace ordeal
