// The table of a run's settings: what is made of each row.

#include "harness/interfaces/plan.h"

#include <gtest/gtest.h>

#include <set>

namespace ordeal {
namespace {

// A text that the setting takes and that is not its default.
std::string other_text(const PlanSetting& setting) {
  switch (setting.type) {
    case PlanSetting::Type::text:
      return "some-text";
    case PlanSetting::Type::words:
      return "a,b";
    case PlanSetting::Type::duration:
      return "1.5";
    case PlanSetting::Type::rate:
    case PlanSetting::Type::integer:
    case PlanSetting::Type::size:
    case PlanSetting::Type::seed:
      return "7";
    case PlanSetting::Type::boolean:
      return setting.default_text() == "true" ? "false" : "true";
  }
  return "";
}

TEST(PlanSettings, EachIsSetFromTextAndSurvivesPlanJson) {
  Plan plan;
  std::set<std::string> names;
  std::set<std::string> keys;
  for (const auto& setting : plan_settings()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
    EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
    const std::string text = other_text(setting);
    EXPECT_NE(text, setting.default_text()) << setting.name;
    ASSERT_TRUE(setting.set(plan, text)) << setting.name;
    EXPECT_EQ(setting.text(plan), text) << setting.name;
  }
  const auto read = Plan::from_value(plan.to_value(), {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->to_value(), plan.to_value());
  for (const auto& setting : plan_settings()) EXPECT_EQ(setting.text(*read), other_text(setting)) << setting.name;
}

// Of the options only those that somebody set are taken from a stored plan: defaults are those of the present program.
TEST(PlanSettings, OptionsOfPlanJsonKeepWhoSetThem) {
  const auto declared = [](int by_default) {
    return Options({{"x.count", OptionSpec::Type::integer, by_default, "how many"},
                    {"x.name", OptionSpec::Type::string, "none", "what"}});
  };
  Plan plan;
  plan.options = declared(3);
  ASSERT_TRUE(plan.options.set("x.name", "some", "--set"));
  const auto read = Plan::from_value(plan.to_value(), declared(4));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->options.integer("x.count"), 4);
  EXPECT_EQ(read->options.origin("x.count"), "default");
  EXPECT_EQ(read->options.string("x.name"), "some");
  EXPECT_EQ(read->options.origin("x.name"), "--set");

  // What lacks its value or who set it is as if it were not there.
  for (const char* half : {R"({"value":7})", R"({"origin":"--set"})", R"({"value":7,"origin":1})", "{}"}) {
    Value stored = plan.to_value();
    stored.set("options", Value::map({{"x.count", *Value::from_json(half)}}));
    const auto without = Plan::from_value(stored, declared(4));
    ASSERT_TRUE(without) << half << ": " << without.error().message;
    EXPECT_EQ(without->options.integer("x.count"), 4) << half;
  }
}

TEST(PlanSettings, EveryMemberOfPlanJsonIsLookedAt) {
  for (const auto& setting : plan_settings()) {
    Value spoiled = Plan{}.to_value();
    spoiled.set(setting.key, Value::map());
    const auto read = Plan::from_value(spoiled, {});
    ASSERT_FALSE(read) << setting.key;
    EXPECT_EQ(read.error().code, ErrorCode::input);
    EXPECT_NE(read.error().message.find(setting.key), std::string::npos) << read.error().message;
  }
}

TEST(PlanSettings, RangesAreKept) {
  const auto refused = [](const char* name, const char* text) {
    Plan plan;
    const auto set = plan_setting(name).set(plan, text);
    return !set && set.error().code == ErrorCode::usage && set.error().message.find(text) != std::string::npos;
  };
  EXPECT_TRUE(refused("time-limit", "0.01"));
  EXPECT_TRUE(refused("op-timeout", "2h"));
  EXPECT_TRUE(refused("concurrency", "0"));
  EXPECT_TRUE(refused("concurrency", "100001"));
  EXPECT_TRUE(refused("concurrency", "3x"));
  EXPECT_TRUE(refused("memory", "0"));
  EXPECT_TRUE(refused("memory", "lots"));
  EXPECT_TRUE(refused("seed", "-1"));
  EXPECT_TRUE(refused("seed", "18446744073709551616"));
  EXPECT_TRUE(refused("rate", "-3"));
  EXPECT_TRUE(refused("rate", "nan"));
  EXPECT_TRUE(refused("poisson", "maybe"));
  struct Range {
    const char *name, *below, *min, *max, *above;
  };
  for (const Range& range : {Range{"time-limit", "0.09", "0.1", "10000000", "10000001"},
                             {"op-timeout", "0.0009", "0.001", "3600", "3601"},
                             {"nemesis-interval", "-0.5", "0", "1000000", "1000001"},
                             {"nemesis-duration", "0.09", "0.1", "1000000", "1000001"},
                             {"recovery", "-0.5", "0", "1000000", "1000001"},
                             {"concurrency", "0", "1", "100000", "100001"},
                             {"rate", "-0.5", "0", "1000000000", "1000000001"}}) {
    for (const char* bad : {range.below, range.above}) EXPECT_TRUE(refused(range.name, bad)) << range.name << bad;
    for (const char* good : {range.min, range.max}) EXPECT_FALSE(refused(range.name, good)) << range.name << good;
  }
  Plan plan;
  EXPECT_TRUE(plan_setting("memory").set(plan, "4G"));
  EXPECT_EQ(plan.check_memory, 4294967296u);
  EXPECT_TRUE(plan_setting("seed").set(plan, "18446744073709551615"));
  EXPECT_EQ(plan.seed, 18446744073709551615u);
  for (const char* name : {"time-limit", "op-timeout", "nemesis-interval", "nemesis-duration", "recovery"}) {
    EXPECT_TRUE(plan_setting(name).set(plan, "2500ms")) << name;
    EXPECT_EQ(plan_setting(name).text(plan), "2.5") << name;
  }
  EXPECT_TRUE(plan_setting("rate").set(plan, "unlimited"));
  EXPECT_EQ(plan.rate, 0);
  EXPECT_EQ(plan_setting("rate").text(plan), "unlimited");
}

TEST(PlanSettings, TheCommandThatRepeatsARunSaysWhatWasChanged) {
  Plan plan;
  plan.target = "etcd";
  plan.seed = 3;
  EXPECT_EQ(repeat_command(plan),
            "ordeal run --target etcd --workload register --nodes local:5 --time-limit 60 --rate 200 --concurrency 10 "
            "--seed 3");
  plan.poisson = false;
  plan.recovery_s = 2.5;
  plan.nemesis = {"kill", "pause"};
  plan.nodes = "ssh:/tmp/my file";
  EXPECT_EQ(repeat_command(plan),
            "ordeal run --target etcd --workload register --nemesis kill,pause --nodes 'ssh:/tmp/my file' "
            "--time-limit 60 --rate 200 --poisson false --concurrency 10 --seed 3 --recovery 2.5");
}

}  // namespace
}  // namespace ordeal
