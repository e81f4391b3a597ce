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

// 2^64 - 1 and 2^64 - 2 were one double, so that a read of one was explained by a write of the other.
TEST(Value, RegressNumbersKeepTheirExactValue) {
  EXPECT_NE(*Value::from_json("18446744073709551615"), *Value::from_json("18446744073709551614"));
  EXPECT_LT(*Value::from_json("18446744073709551614"), *Value::from_json("18446744073709551615"));
  EXPECT_NE(*Value::from_json("0.1000000000000000000001"), *Value::from_json("0.1"));
  EXPECT_NE(*Value::from_json("1e400"), *Value::from_json("1e401"));
  // However it is spelled.
  EXPECT_EQ(*Value::from_json("184467440737095516150e-1"), *Value::from_json("18446744073709551615"));
  EXPECT_EQ(*Value::from_json("0.10"), Value(0.1));
  EXPECT_EQ(*Value::from_json("0.10000000000000001"), Value(0.1));  // printed with 17 digits
  EXPECT_NE(Value::ratio("0.10000000000000001", "1"), Value(0.1));
  EXPECT_EQ(Value::ratio("0.10000000000000001", "1"), Value::ratio("10000000000000001", "100000000000000000"));
  EXPECT_EQ(*Value::from_json("-132819481997769719808.0"), Value(-132819481997769719808.0));
  EXPECT_EQ(*Value::from_json("1.0e20"), Value(1e20));
  // Of the integers that are nearest to one double, each is itself.
  EXPECT_NE(*Value::from_json("18446744073709551616"), *Value::from_json("18446744073709552000"));
  for (const char* text : {"18446744073709551616", "-18446744073709551615", "0.1000000000000000000001", "1e400",
                           "-1.0000000000000000000000000000000000001", "1e-400"}) {
    const auto value = Value::from_json(text);
    ASSERT_TRUE(value) << text;
    EXPECT_TRUE(value->is_real()) << text;
    EXPECT_EQ(value->exact_digits().empty(), false) << text;
    EXPECT_EQ(*Value::from_json(value->to_json()), *value) << text;
  }
  EXPECT_EQ(Value::from_json("18446744073709551616")->to_json(), "18446744073709551616");
  EXPECT_DOUBLE_EQ(Value::from_json("18446744073709551616")->real(), 18446744073709551616.0);
  EXPECT_TRUE(Value::number("2.5").exact_digits().empty());
}

TEST(Value, RatiosAreExact) {
  EXPECT_EQ(Value::ratio("6", "3"), Value(2));
  EXPECT_EQ(Value::ratio("1", "8"), Value(0.125));
  EXPECT_EQ(Value::ratio("1", "10"), Value(0.1));
  EXPECT_EQ(Value::ratio("-2", "6"), Value::ratio("-1", "3"));
  EXPECT_NE(Value::ratio("1", "3"), Value(1.0 / 3));
  EXPECT_EQ(Value::ratio("1", "3").to_json(), "\"1/3\"");
  EXPECT_NE(Value::ratio("10000000000000000000001", "3"), Value::ratio("10000000000000000000002", "3"));
}

// Two halves of different surrogate pairs were both read as U+FFFD, so that a read of one was explained by the other.
TEST(Value, RegressHalfSurrogatePairsAreToldApart) {
  const auto high = Value::from_json("\"\\ud800\""), low = Value::from_json("\"\\udfff\"");
  ASSERT_TRUE(high && low);
  EXPECT_NE(*high, *low);
  EXPECT_EQ(high->to_json(), "\"\\ud800\"");
  EXPECT_EQ(*Value::from_json(low->to_json()), *low);
  EXPECT_EQ(*Value::from_json("\"\\ud83d\\ude00\""), Value("\xF0\x9F\x98\x80"));
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
