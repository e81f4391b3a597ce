// Options: what each type takes and refuses, and slips of names.

#include "base/options.h"

#include <gmock/gmock.h>

#include "base/names.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

TEST(Durations, HaveUnitsAndAreSecondsWithout) {
  const std::pair<const char*, double> right[] = {{"5", 5},       {"1.5", 1.5}, {"5s", 5},     {"200ms", 0.2},
                                                  {"30us", 3e-5}, {"2m", 120},  {"1h", 3600},  {"0.5h", 1800},
                                                  {"0", 0},       {"0ms", 0.0}, {"1e3", 1000}, {"90m", 5400}};
  for (const auto& [text, seconds] : right) {
    const auto read = parse_duration(text);
    ASSERT_TRUE(read) << text;
    EXPECT_DOUBLE_EQ(*read, seconds) << text;
  }
  for (const char* text : {"", "s", "5x", "-1s", "5 s", "1d", "nan", "ms", "1e13"}) {
    const auto read = parse_duration(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::usage);
    EXPECT_THAT(read.error().message, HasSubstr("\"" + std::string(text) + "\""));
  }
}

class OptionsTest : public ::testing::Test {
 protected:
  OptionSpec small() const {
    OptionSpec spec{"x.small", OptionSpec::Type::integer, 3, "few"};
    spec.min = 2;
    spec.max = 5;
    return spec;
  }
  std::string refused(const char* key, const char* text) {
    const auto set = options_.set(key, text, "test");
    if (set) return "taken";
    EXPECT_EQ(set.error().code, ErrorCode::usage);
    return set.error().message;
  }
  Options options_{{{"x.on", OptionSpec::Type::boolean, false, "on"},
                    {"x.count", OptionSpec::Type::integer, 1, "how many"},
                    {"x.share", OptionSpec::Type::real, 0.5, "which part"},
                    {"x.wait", OptionSpec::Type::duration, 1.0, "how long"},
                    small()}};
};

TEST_F(OptionsTest, EachTypeTakesItsOwn) {
  for (const char* text : {"true", "yes", "1", "on"}) {
    ASSERT_TRUE(options_.set("x.on", "false", "test"));
    ASSERT_TRUE(options_.set("x.on", text, "test"));
    EXPECT_TRUE(options_.boolean("x.on")) << text;
  }
  for (const char* text : {"false", "no", "0", "off"}) {
    ASSERT_TRUE(options_.set("x.on", "true", "test"));
    ASSERT_TRUE(options_.set("x.on", text, "test"));
    EXPECT_FALSE(options_.boolean("x.on")) << text;
  }
  ASSERT_TRUE(options_.set("x.count", "-7", "test"));
  EXPECT_EQ(options_.integer("x.count"), -7);
  ASSERT_TRUE(options_.set("x.share", "0.25", "test"));
  EXPECT_EQ(options_.real("x.share"), 0.25);
  ASSERT_TRUE(options_.set("x.wait", "250ms", "test"));
  EXPECT_EQ(options_.seconds("x.wait"), 0.25);
}

TEST_F(OptionsTest, WhatIsNoneOfTheTypeIsRefusedWithTheKeyAndTheText) {
  EXPECT_THAT(refused("x.on", "maybe"), HasSubstr("option x.on: true or false was expected, found \"maybe\""));
  for (const char* text : {"", "3x", "x", "1.5", "99999999999999999999"})
    EXPECT_THAT(refused("x.count", text), HasSubstr("x.count")) << text;
  for (const char* text : {"", "3x", "nothing"}) EXPECT_THAT(refused("x.share", text), HasSubstr("x.share")) << text;
  for (const char* text : {"", "soon", "5y"}) EXPECT_THAT(refused("x.wait", text), HasSubstr("x.wait")) << text;
  EXPECT_EQ(options_.origin("x.count"), "default") << "a refused text changes nothing";
  EXPECT_EQ(options_.integer("x.count"), 1);
}

TEST_F(OptionsTest, BoundsBelongToTheRange) {
  for (const char* text : {"2", "5"}) EXPECT_TRUE(options_.set("x.small", text, "test")) << text;
  for (const char* text : {"1", "6"})
    EXPECT_THAT(refused("x.small", text), HasSubstr("it must be at least 2 and at most 5")) << text;
}

TEST(Names, TheNearestIsASlipAway) {
  const std::vector<std::string> known = {"partition", "pause", "kill", "clock", "packet-loss"};
  EXPECT_EQ(nearest("partiton", known), "partition");
  EXPECT_EQ(nearest("pasue", known), "pause");
  EXPECT_EQ(nearest("kil", known), "kill");
  EXPECT_EQ(nearest("lock", known), "clock");
  EXPECT_EQ(nearest("packet-los", known), "packet-loss");
  EXPECT_EQ(nearest("kill", known), "kill");
  EXPECT_EQ(nearest("elephants", known), "");
  EXPECT_EQ(nearest("", {"a-long-name"}), "");
  // What is missing in front counts as much as what is missing elsewhere.
  EXPECT_EQ(nearest("pause", {"unpause", "pauze"}), "pauze");
  EXPECT_EQ(nearest("raed", {"add", "read"}), "read") << "two neighbours changed places";
  EXPECT_EQ(nearest("x", {"ab"}), "");
}

}  // namespace
}  // namespace ordeal
