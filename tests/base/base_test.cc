#include <gtest/gtest.h>

#include <vector>

#include "base/limits.h"
#include "base/names.h"
#include "base/value.h"

namespace ordeal {
namespace {

TEST(Value, MayBeAssignedAPartOfItself) {
  Value copied = Value::list({1, Value::list({2, Value::list({3, "four"})})});
  copied = copied.items()[1];
  EXPECT_EQ(copied.to_json(), R"([2,[3,"four"]])");
  Value moved = Value::map({{"a", Value::map({{"b", "c"}})}});
  moved = std::move(moved.entries()[0].second);
  EXPECT_EQ(moved.to_json(), R"({"b":"c"})");
}

TEST(Value, JsonRoundTrip) {
  for (const char* text : {"null", "true", "false", "0", "-7", "9223372036854775807", "1.5", "\"a\\nb\"", "[]", "{}",
                           "[1,[2,null],{\"a\":\"b\"}]", "{\"k\":[],\"l\":{\"m\":-1}}"}) {
    const auto value = Value::from_json(text);
    ASSERT_TRUE(value) << text << ": " << value.error().message;
    EXPECT_EQ(value->to_json(), text);
  }
}

TEST(Value, IntegersBeyond64BitsBecomeReals) {
  const auto value = Value::from_json("18446744073709551616");
  ASSERT_TRUE(value);
  EXPECT_TRUE(value->is_real());
}

TEST(Value, ErrorsNameThePlace) {
  const auto value = Value::from_json("{\"a\": 1,\n \"b\": tru}");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::input);
  EXPECT_NE(value.error().message.find("line 2, column 7"), std::string::npos) << value.error().message;
}

TEST(Value, RefusesWhatIsNoJson) {
  for (const char* text : {"", "[1,]", "{\"a\":}", "{\"a\" 1}", "01", "1 2", "\"a", "\"\x01\"", "[1", "nul", "{,}", "-",
                           "1.", "1e", "\"\\x\"", "\"\\u12\"", "'a'"}) {
    EXPECT_FALSE(Value::from_json(text)) << text;
  }
  EXPECT_FALSE(Value::from_json(std::string(100'000, '[')));
}

TEST(Value, StringsThatAreNoUtf8AreWrittenWithReplacements) {
  EXPECT_EQ(Value("a\xFF\xC0\xAF z").to_json(), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD z\"");
  EXPECT_EQ(Value("caf\xC3\xA9").to_json(), "\"caf\xC3\xA9\"");
}

TEST(Value, MapsCompareWithoutOrder) {
  Value a = Value::map();
  a.set("x", 1);
  a.set(2, "y");
  Value b = Value::map();
  b.set(2, "y");
  b.set("x", 1);
  EXPECT_EQ(a, b);
  b.set("x", 3);
  EXPECT_FALSE(a == b);
  EXPECT_EQ(a.to_json(), "{\"x\":1,\"2\":\"y\"}");
}

TEST(Limits, NoneIsNeverExceeded) {
  EXPECT_EQ(Limits().exceeded(), "");
  EXPECT_NO_THROW(Limits().need(SIZE_MAX));
  EXPECT_EQ(Limits().time_left().count(), 0);
}

TEST(Limits, StopTimeAndMemoryAreNamed) {
  std::stop_source stop;
  const Limits stoppable({}, 0, stop.get_token());
  EXPECT_EQ(stoppable.exceeded(), "");
  stop.request_stop();
  EXPECT_EQ(stoppable.exceeded(), "stopped on request");
  EXPECT_THROW(stoppable.check(), OutOfLimits);

  const Limits timed(std::chrono::milliseconds(1), 0);
  while (timed.exceeded().empty()) {
  }
  EXPECT_EQ(timed.exceeded(), "the time limit was reached");
  EXPECT_EQ(timed.time_left().count(), 1);

  constexpr std::size_t kMega = std::size_t{1} << 20;
  const Limits small({}, 16 * kMega);
  EXPECT_NO_THROW(small.need(kMega));
  EXPECT_THROW(small.need(32 * kMega), OutOfLimits);
  const std::vector<char> held(64 * kMega, 'x');
  EXPECT_EQ(small.exceeded(), "the memory limit was reached") << held.size();
  EXPECT_EQ(small.room(), 0u);
}

TEST(Catalogue, AnUnknownNameListsTheKnownOnes) {
  const Error error = unknown_name("target", "ectd", {"etcd", "memory"});
  EXPECT_EQ(error.code, ErrorCode::usage);
  EXPECT_EQ(error.message, "unknown target \"ectd\"; did you mean \"etcd\"? Known: etcd and memory.");
}

}  // namespace
}  // namespace ordeal
