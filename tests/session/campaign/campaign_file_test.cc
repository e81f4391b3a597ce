#include "session/campaign/campaign_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "session/campaign/campaign.h"
#include "session/campaign/schema.h"
#include "session/resolve_plan.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The runs that a file asks for.
Result<std::vector<RunRequest>> requests(const std::string& text) {
  const auto file = parse_campaign(text, "c.toml");
  if (!file) return fail(file.error());
  const auto runs = runs_of(*file);
  if (!runs) return fail(runs.error());
  std::vector<RunRequest> out;
  for (const auto& run : *runs) out.push_back(run.request);
  return out;
}

// "" when the file is taken, down to the plans of its runs.
std::string complaint(const std::string& text) {
  const auto file = parse_campaign(text, "c.toml");
  if (!file) return file.error().message;
  const auto campaign = plan_campaign(*file);
  return campaign ? "" : campaign.error().message;
}

std::vector<std::string> names(const std::string& text) {
  const auto file = parse_campaign(text, "c.toml");
  if (!file) return {file.error().message};
  const auto campaign = plan_campaign(*file);
  if (!campaign) return {campaign.error().message};
  std::vector<std::string> out;
  for (const auto& run : campaign->runs) out.push_back(run.name);
  return out;
}

TEST(Campaign, AFileOfScalarsIsOneRun) {
  const auto runs =
      requests("target = \"etcd\"\nrate = 200\ntime-limit = \"60s\"\n[set]\n\"etcd.x\" = true\nregister.keys = 7\n");
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
  const auto runs = requests("workload = [\"register\", \"set\"]\nseed = [1, 2, 3]\n");
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 6u);
  EXPECT_EQ((*runs)[0].flags.at("workload").text, "register");
  EXPECT_EQ((*runs)[1].flags.at("seed").text, "2");
  EXPECT_EQ((*runs)[3].flags.at("workload").text, "set");
  EXPECT_EQ((*runs)[3].flags.at("seed").text, "1");
}

TEST(Campaign, LevelsAreAnAxis) {
  const auto runs =
      requests("target = \"memory\"\nworkload = \"set\"\nconsistency = [\"linearizable\", \"sequential\"]\n");
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 2u);
  const auto plan = resolve((*runs)[1]);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->options.string("set.consistency"), "sequential");
  EXPECT_EQ(plan->options.origin("set.consistency"), "c.toml:3");
}

TEST(Campaign, ATimelineIsOneSettingAndTheNemesisMayBeATable) {
  const auto runs = requests(
      "target = \"etcd\"\n[nemesis]\nquiet = \"5s\"\nschedule = [\"auto\", \"scripted\"]\n[[nemesis.timeline]]\nat = "
      "5.0\n"
      "fault = \"kill\"\nkill.nodes = \"n1\"\n[[nemesis.timeline]]\nwhen = \"leader-change\"\nfault = \"pause\"\n");
  ASSERT_TRUE(runs) << runs.error().message;
  ASSERT_EQ(runs->size(), 2u);
  EXPECT_EQ(runs->back().settings.at("nemesis.quiet").text, "5s");
  EXPECT_EQ(runs->back().settings.at("nemesis.schedule").text, "scripted");
  const Given& timeline = runs->back().settings.at("nemesis.timeline");
  EXPECT_EQ(timeline.text,
            R"([{"at":5.0,"fault":"kill","kill":{"nodes":"n1"}},{"fault":"pause","when":"leader-change"}])");
  EXPECT_EQ(timeline.origin, "c.toml:5");
  EXPECT_FALSE(runs->front().flags.contains("nemesis"));

  const auto matrix = requests("[nemesis]\nfaults = [\"kill\", \"kill,pause\"]\n");
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

TEST(Campaign, SeedsMayBeRanges) {
  const auto runs = requests("seed = [\"3..5\", 9]\n");
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 4u);
  EXPECT_EQ(runs->at(1).flags.at("seed").text, "4");
  EXPECT_EQ(runs->at(3).flags.at("seed").text, "9");
  EXPECT_EQ(requests("seed = \"18446744073709551614..18446744073709551615\"\n")->size(), 2u);
  for (const char* wrong : {"5..3", "a..b", "1..", "..2", "1...3", "1..1000000", "-1..2"}) {
    EXPECT_THAT(complaint(std::string("target = \"memory\"\nseed = \"") + wrong + "\"\n"), HasSubstr("c.toml:2:8: "))
        << wrong;
  }
  // Other texts keep their dots.
  EXPECT_EQ(requests("name = \"a..b\"\n")->front().flags.at("name").text, "a..b");
}

TEST(Campaign, ExclusionsLeaveRunsOut) {
  const std::string matrix = "target = \"memory\"\nworkload = [\"register\", \"set\"]\nseed = \"1..3\"\n";
  EXPECT_THAT(
      names(matrix + "[[exclude]]\nworkload = \"set\"\nseed = \"2..3\"\n"),
      ElementsAre("memory register seed=1", "memory register seed=2", "memory register seed=3", "memory set seed=1"));
  EXPECT_EQ(names(matrix + "exclude = [{ workload = \"set\" }, { seed = 1 }]\n").size(), 2u);
  EXPECT_THAT(complaint(matrix + "[[exclude]]\nworkload = \"sett\"\n"),
              HasSubstr("c.toml:5:12: no run has workload = \"sett\"; did you mean \"set\"?"));
  EXPECT_THAT(complaint(matrix + "[[exclude]]\nworklaod = \"set\"\n"),
              HasSubstr("c.toml:5:1: unknown key of \"exclude\""));
  EXPECT_THAT(complaint(matrix + "[[exclude]]\nworkload = [\"set\", \"register\"]\n"),
              HasSubstr("every run is excluded"));
  EXPECT_THAT(complaint(matrix + "exclude = 3\n"), HasSubstr("c.toml:4:11: \"exclude\" must be an array of tables"));
  EXPECT_THAT(complaint(matrix + "[[exclude]]\n"), HasSubstr("c.toml:4:"));
  EXPECT_EQ(names(matrix + "exclude = [{ \"register.keys\" = 5 }]\n[set]\n\"register.keys\" = [3, 5]\n").size(), 6u);
}

TEST(Campaign, ExpectationsAreOfAllRunsOrOfSome) {
  const auto all = parse_campaign("expect = \"invalid: stale-read\"\nseed = [1, 2]\n", "c.toml");
  ASSERT_TRUE(all);
  EXPECT_EQ(runs_of(*all)->at(1).expect.text(), "invalid: stale-read");
  const auto some = parse_campaign(
      "seed = [1, 2]\n[[expect]]\nseed = 2\nverdict = \"invalid\"\n[[expect]]\nverdict = \"valid\"\n", "c.toml");
  ASSERT_TRUE(some) << some.error().message;
  EXPECT_EQ(runs_of(*some)->at(0).expect.text(), "valid");
  EXPECT_EQ(runs_of(*some)->at(1).expect.text(), "invalid");
  EXPECT_THAT(complaint("expect = \"invalid: stale-raed\"\n"),
              HasSubstr("c.toml:1:10: unknown anomaly \"stale-raed\"; did you mean"));
  EXPECT_THAT(complaint("expect = \"invlid\"\n"), HasSubstr("did you mean \"invalid\"?"));
  EXPECT_THAT(complaint("expect = \"invalid:\"\n"), HasSubstr("c.toml:1:10"));
  // What was meant for the file.
  EXPECT_THAT(complaint("target = \"memory\"\n[[expect]]\nverdict = \"invalid\"\nseed = 1\n"),
              HasSubstr("c.toml:4:8: no run says anything of \"seed\""));
  EXPECT_THAT(complaint("[[expect]]\nseed = 1\n"), HasSubstr("lacks \"verdict\""));
}

TEST(Campaign, HowItIsPlayedIsOfTheWhole) {
  const auto file = parse_campaign("budget = \"2h\"\nretries = 2\nfail-fast = true\n", "c.toml");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->settings.budget_s, 7200);
  EXPECT_EQ(file->settings.retries, 2);
  EXPECT_TRUE(file->settings.fail_fast);
  EXPECT_TRUE(file->more_than_runs);
  EXPECT_EQ(CampaignSettings::from_value(file->settings.to_value())->to_value(), file->settings.to_value());
  EXPECT_THAT(complaint("budget = [1, 2]\n"), HasSubstr("c.toml:1:10: \"budget\" is of the whole campaign"));
  EXPECT_THAT(complaint("retries = -1\n"), HasSubstr("c.toml:1:11: \"retries\""));
  EXPECT_THAT(complaint("fail-fast = 3\n"), HasSubstr("c.toml:1:13"));
  EXPECT_THAT(complaint("bugdet = 3\n"), HasSubstr("did you mean \"budget\"?"));
}

TEST(Campaign, FlagsPutOneValueInThePlaceOfAll) {
  auto file = parse_campaign("target = \"memory\"\nseed = [1, 2]\nrate = [5, 6]\n", "c.toml");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->override_flag("rate", "7"));
  EXPECT_EQ(runs_of(*file)->size(), 2u);
  const auto seed = file->override_flag("seed", "3");
  ASSERT_FALSE(seed);
  EXPECT_THAT(seed.error().message, HasSubstr("c.toml:2:9 names 2 seeds"));
  auto single = parse_campaign("seed = 1\n", "c.toml");
  ASSERT_TRUE(single->override_flag("seed", "3"));
  EXPECT_EQ(runs_of(*single)->front().request.flags.at("seed").text, "3");
}

TEST(Campaign, RunsHaveNamesOfTheirOwn) {
  EXPECT_THAT(names("target = \"memory\"\nrate = [5, 6]\n"),
              ElementsAre("memory register rate=5", "memory register rate=6"));
  EXPECT_THAT(names("target = \"memory\"\nseed = [1, 1]\n"),
              ElementsAre("memory register seed=1", "memory register seed=1 #2"));
  EXPECT_THAT(names("target = \"etcd\"\nnemesis = [\"kill, pause\", \"\"]\n"),
              ElementsAre("etcd register kill,pause", "etcd register no-faults"));
}

TEST(Campaign, AnOptionCountsForTheRunsThatKnowIt) {
  // memory has no etcd.…, so its two runs are one; register.… is of one workload only.
  EXPECT_THAT(names("target = [\"etcd\", \"memory\"]\n[set]\n\"etcd.serializable-reads\" = [false, true]\n"),
              ElementsAre("etcd register etcd.serializable-reads=false", "etcd register etcd.serializable-reads=true",
                          "memory register"));
  EXPECT_EQ(names("target = \"memory\"\nworkload = [\"register\", \"set\"]\n[set]\n\"register.keys\" = 2\n").size(),
            2u);
  EXPECT_THAT(complaint("target = [\"etcd\", \"memory\"]\n[set]\n\"etcd.serialisable-reads\" = true\n"),
              HasSubstr("c.toml:3:29: "));
}

TEST(Campaign, WrongValuesAreNamedWithTheirPlace) {
  const std::vector<std::pair<const char*, const char*>> wrong = {
      {"target = \"ectd\"\n", "c.toml:1:10: unknown target \"ectd\"; did you mean \"etcd\"?"},
      {"target = \"memory\"\nworkload = \"regster\"\n", "c.toml:2:12: unknown workload"},
      {"target = \"etcd\"\nnemesis = \"kil\"\n", "c.toml:2:11: "},
      {"target = \"etcd\"\n[nemesis]\nfaults = [\"kill\", \"puase\"]\n", "c.toml:3:19: "},
      {"target = \"memory\"\nrate = \"fast\"\n", "c.toml:2:8: "},
      {"target = \"memory\"\nconcurrency = 0\n", "c.toml:2:15: "},
      {"target = \"memory\"\ntime-limit = \"soon\"\n", "c.toml:2:14: "},
      {"target = \"etcd\"\nnodes = \"local:0\"\n", "c.toml:2:9: "},
      {"target = \"memory\"\n[set]\n\"register.keys\" = \"many\"\n", "c.toml:3:19: "},
      {"target = \"memory\"\n[set]\nregister.keys = -1\n", "c.toml:3:17: "},
      {"target = \"memory\"\nconsistency = \"lineraizable\"\n", "c.toml:2:15: "},
      {"target = \"memory\"\nname = \"a/b\"\n", "c.toml:2:8: "},
      {"target = \"etcd\"\n[[nemesis.timeline]]\nfault = \"kil\"\n", "c.toml:2:"},
      {"target = \"process\"\n", "c.toml:1:10: "},
      {"target = \"memory\"\nname = \"campaigns\"\n", "c.toml:2:8: "},
      {"store = [\"a\", \"b\"]\n", "c.toml:1:9: "},
  };
  for (const auto& [text, where] : wrong) EXPECT_THAT(complaint(text), HasSubstr(where)) << text;
}

// A file with everything in it, damaged in a hundred ways: each is a campaign, or refused with its place.
TEST(Campaign, AHundredDamagedFilesAreTakenOrRefusedWithTheirPlace) {
  const std::string sample =
      "target = [\"etcd\", \"memory\"]\nworkload = [\"register\", \"set\"]\nseed = \"1..3\"\nrate = 100\n"
      "time-limit = \"5s\"\nbudget = \"1h\"\nretries = 1\nfail-fast = true\nconcurrency = 4\n"
      "[[exclude]]\nworkload = \"set\"\nseed = [1, 2]\n[[expect]]\nseed = 3\nverdict = \"invalid: stale-read\"\n"
      "[nemesis]\nfaults = \"\"\nquiet = \"1s\"\n[set]\n\"etcd.serializable-reads\" = [false, true]\nregister.keys = "
      "3\n";
  ASSERT_EQ(complaint(sample), "");
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return random() % n; };
  int refused = 0;
  for (int i = 0; i < 100; ++i) {
    std::string text = sample;
    for (std::size_t n = 1 + below(3); n > 0; --n) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text.erase(at, 1 + below(4));
          break;
        case 1:
          text.insert(at, 1, "=[]{}\"'.,#\n-90aZ"[below(17)]);
          break;
        case 2:
          text[at] = static_cast<char>(' ' + below(95));
          break;
        default:
          std::swap(text[at], text[below(text.size())]);
      }
    }
    const std::string said = complaint(text);
    if (said.empty()) continue;
    ++refused;
    const auto file = parse_campaign(text, "c.toml");
    EXPECT_EQ((file ? plan_campaign(*file).error() : file.error()).code, ErrorCode::usage) << said;
    // What concerns the whole file has no place of its own.
    const bool placed = said.find("c.toml:") != std::string::npos ||
                        said.find("every run is excluded") != std::string::npos ||
                        said.find("no target: say --target") != std::string::npos;
    EXPECT_TRUE(placed) << said << "\n" << text;
  }
  EXPECT_GT(refused, 30);
}

TEST(Campaign, TheSchemaHasEveryKeyAndNoOther) {
  const Value schema = campaign_schema();
  std::vector<std::string> in_schema;
  for (const auto& [key, value] : schema.find("properties")->entries()) in_schema.push_back(key.string());
  EXPECT_THAT(in_schema, ::testing::UnorderedElementsAreArray(campaign_keys()));
  EXPECT_EQ(*schema.find("additionalProperties"), Value(false));
  EXPECT_NE(schema.find("properties")->find("set")->find("properties")->find("etcd.serializable-reads"), nullptr);
}

}  // namespace
}  // namespace ordeal
