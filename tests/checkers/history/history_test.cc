#include "checkers/history/history.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ordeal {
namespace {

class HistoryTest : public testing::Test {
 protected:
  Result<void> add(ProcessId process, EventType type, std::string_view f, Value value, std::int64_t time = -1,
                   std::int64_t index = -1) {
    Event event;
    event.process = process;
    event.type = type;
    event.f = *builder_.function(f);
    event.value = builder_.values().intern(value);
    event.time = time;
    event.index = index;
    return builder_.add(event);
  }
  HistoryBuilder builder_;
};

TEST_F(HistoryTest, PairsInvocationsWithCompletions) {
  ASSERT_TRUE(add(0, EventType::invoke, "write", 1, 10));
  ASSERT_TRUE(add(1, EventType::invoke, "read", Value(), 20));
  ASSERT_TRUE(add(kNemesis, EventType::info, "partition", Value(), 25));
  ASSERT_TRUE(add(1, EventType::ok, "read", 1, 30));
  const History h = builder_.finish();
  const auto ops = h.operations();
  ASSERT_EQ(ops.size(), 2u);
  EXPECT_EQ(ops[0].completion, kNoEvent);
  EXPECT_EQ(h.outcome(ops[0]), EventType::info);
  EXPECT_EQ(ops[1].completion, 3u);
  EXPECT_EQ(h.values().as_integer(h.operation_value(ops[1])), 1);
  EXPECT_EQ(h.describe(ops[1]), "1 read -> ok 1");
  EXPECT_EQ(h.process_name(h.process(2)), "nemesis");
}

// Some tools write the key on the invocation only, some on the completion only.
TEST_F(HistoryTest, AKeyGivenOnceIsThatOfBothEvents) {
  for (const bool on_the_invocation : {true, false}) {
    for (const EventType type : {EventType::invoke, EventType::ok}) {
      Event event;
      event.process = on_the_invocation ? 0 : 1;
      event.type = type;
      event.f = *builder_.function("write");
      event.value = builder_.values().integer(1);
      if ((type == EventType::invoke) == on_the_invocation) event.key = builder_.values().integer(7);
      ASSERT_TRUE(builder_.add(event));
    }
  }
  const History h = builder_.finish();
  for (EventIndex e = 0; e < 4; ++e) EXPECT_EQ(h.values().as_integer(h.key(e)), 7) << "event " << e;
}

TEST_F(HistoryTest, TimesAndLinesMayBeginLate) {
  ASSERT_TRUE(add(0, EventType::invoke, "write", 1));
  ASSERT_TRUE(add(1, EventType::invoke, "read", Value()));
  Event event;
  event.process = 2;
  event.type = EventType::invoke;
  event.f = *builder_.function("read");
  event.time = 30;
  event.line = 7;
  ASSERT_TRUE(builder_.add(event));
  event.process = 3;
  event.time = -1;
  event.line = 8;
  ASSERT_TRUE(builder_.add(event));
  // A second invocation of each is refused, and the first one is named with its line, if it has one.
  const auto refused = [&](ProcessId process) {
    event.process = process;
    event.line = 0;
    return builder_.add(event).error().message;
  };
  EXPECT_NE(refused(1).find("its operation of event 1 "), std::string::npos) << refused(1);
  EXPECT_NE(refused(2).find("its operation of event 2 (line 7) "), std::string::npos) << refused(2);
  EXPECT_NE(refused(3).find("its operation of event 3 (line 8) "), std::string::npos) << refused(3);
  const History h = builder_.finish();
  EXPECT_EQ(h.time(0), -1);
  EXPECT_EQ(h.time(1), -1);
  EXPECT_EQ(h.time(2), 30);
  EXPECT_EQ(h.time(3), -1);
}

TEST_F(HistoryTest, AProcessMayGoOnAfterInfo) {
  ASSERT_TRUE(add(0, EventType::invoke, "write", 1));
  ASSERT_TRUE(add(0, EventType::info, "write", 1));
  EXPECT_TRUE(add(0, EventType::invoke, "write", 2));
}

TEST_F(HistoryTest, RefusesContradictions) {
  EXPECT_FALSE(add(0, EventType::ok, "write", 1));
  ASSERT_TRUE(add(0, EventType::invoke, "write", 1, 100, 7));
  auto second = add(0, EventType::invoke, "read", Value(), 110);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("process 0"), std::string::npos);
  EXPECT_NE(second.error().message.find("event 7"), std::string::npos) << second.error().message;
  EXPECT_FALSE(add(0, EventType::ok, "read", 1, 120));
  EXPECT_TRUE(add(0, EventType::ok, "write", 1, 100, 9));
  const History h = builder_.finish();
  EXPECT_EQ(h.index(0), 7);
  EXPECT_EQ(h.index(1), 9);
  EXPECT_EQ(h.time(1), 100);
}

// Files of Jepsen's have times that step back by microseconds, and indices twice, where two logs were put together.
TEST_F(HistoryTest, RegressTheOrderOfTheFileCounts) {
  ASSERT_TRUE(add(0, EventType::invoke, "write", 1, 100, 7));
  ASSERT_TRUE(add(1, EventType::invoke, "read", Value(), 99, 7));
  ASSERT_TRUE(add(0, EventType::ok, "write", 1, 120, 8));
  ASSERT_TRUE(add(1, EventType::ok, "read", 1, 119, 5));
  const auto remarks = builder_.remarks();
  ASSERT_EQ(remarks.size(), 2u);
  EXPECT_NE(remarks[0].find("steps back 2 times, first at event 7"), std::string::npos) << remarks[0];
  EXPECT_NE(remarks[1].find("does not grow 2 times, first at event 7"), std::string::npos) << remarks[1];
  const History h = builder_.finish();
  EXPECT_EQ(h.index(1), 1);
  EXPECT_EQ(h.index(3), 3);
  EXPECT_EQ(h.time(1), 99);
  EXPECT_EQ(h.operations()[0].completion, 2u);
}

TEST(ValueTable, RegressExactNumbersAreToldApart) {
  ValueTable table;
  const char* const numbers[] = {"18446744073709551614",
                                 "18446744073709551615",
                                 "0.1000000000000000000001",
                                 "0.1000000000000000000002",
                                 "0.1",
                                 "1e400",
                                 "1e401",
                                 "-1e-400",
                                 "9223372036854775807"};
  std::vector<ValueId> ids;
  for (const char* text : numbers) {
    const Value value = Value::number(text);
    ids.push_back(table.intern(value));
    EXPECT_EQ(table.find(value), ids.back());
    EXPECT_EQ(table.to_value(ids.back()), value) << text;
    EXPECT_EQ(table.to_json(ids.back()), value.to_json());
    EXPECT_EQ(*Value::from_json(value.to_json()), value) << text;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(std::count(ids.begin(), ids.end(), ids[i]), 1) << numbers[i];
  const ValueId decimal = table.intern(Value::ratio("0.10000000000000001", "1"));
  EXPECT_NE(decimal, table.intern(0.1));
  EXPECT_EQ(table.intern(table.to_value(decimal)), decimal);
  EXPECT_EQ(table.intern(Value::ratio("1", "3")), table.intern(Value::ratio("2", "6")));
  EXPECT_NE(table.intern(Value::ratio("1", "3")), table.intern(Value("1/3")));
  ValueTable other;
  other.intern("before");
  const std::vector<ValueId> there = other.absorb(table);
  EXPECT_EQ(other.to_value(there[ids[0]]), Value::number(numbers[0]));
  EXPECT_EQ(other.to_value(there[table.find(Value::ratio("1", "3"))]), Value::ratio("1", "3"));
}

TEST(ValueTable, EqualValuesHaveEqualIds) {
  ValueTable table;
  EXPECT_EQ(table.intern(Value()), kNil);
  Value map = Value::map();
  map.set(1, "a");
  map.set("b", Value::list({1, 2.5, true}));
  const ValueId id = table.intern(map);
  EXPECT_EQ(table.intern(map), id);
  EXPECT_EQ(table.find(map), id);
  EXPECT_EQ(table.to_value(id), map);
  EXPECT_NE(table.intern("1"), table.intern(1));
  EXPECT_EQ(table.find("never"), kAbsent);
  for (int i = 0; i < 10'000; ++i) table.intern(Value::list({i, std::to_string(i)}));
  EXPECT_EQ(table.to_json(table.find(Value::list({77, "77"}))), "[77,\"77\"]");
}

}  // namespace
}  // namespace ordeal
