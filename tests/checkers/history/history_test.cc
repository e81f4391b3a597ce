#include "checkers/history/history.h"

#include <gtest/gtest.h>

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
  EXPECT_FALSE(add(0, EventType::ok, "write", 1, 99));
  EXPECT_FALSE(add(1, EventType::invoke, "write", 1, 120, 7));
  EXPECT_TRUE(add(0, EventType::ok, "write", 1, 100, 9));
  const History h = builder_.finish();
  EXPECT_EQ(h.index(0), 7);
  EXPECT_EQ(h.index(1), 9);
  EXPECT_EQ(h.time(1), 100);
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
