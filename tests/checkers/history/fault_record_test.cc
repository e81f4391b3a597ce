// The steps of injections: what the nemesis writes is what every reader of a history finds.
#include "checkers/history/fault_record.h"

#include <gmock/gmock.h>

#include <set>

namespace ordeal {
namespace {

using ::testing::ElementsAre;

class FaultRecords : public testing::Test {
 protected:
  void write(const char* fault, const Value& value) {
    Event event;
    event.time = time_ += 10;
    event.process = kNemesis;
    event.type = EventType::info;
    event.f = *builder_.function(fault);
    event.value = builder_.values().intern(value);
    ASSERT_TRUE(builder_.add(event));
  }
  void step(int id, FaultStep step, Value::Map more = {}) {
    write("kill", fault_event_value(id, step, std::move(more)));
  }
  HistoryBuilder builder_;
  std::int64_t time_ = 0;
};

TEST_F(FaultRecords, EveryStepIsReadAsWhatWasWritten) {
  std::set<std::string_view> words;
  int steps = 0;
  for (; steps < static_cast<int>(FaultStep::other); ++steps) {
    words.insert(to_string(static_cast<FaultStep>(steps)));
    step(steps, static_cast<FaultStep>(steps));
  }
  EXPECT_EQ(words.size(), 15U) << "no two steps under one word";
  const History history = builder_.finish();
  for (int i = 0; i < steps; ++i) {
    const auto event = fault_event(history, static_cast<EventIndex>(i));
    ASSERT_TRUE(event);
    EXPECT_EQ(event->id, i);
    EXPECT_EQ(event->step, static_cast<FaultStep>(i)) << to_string(static_cast<FaultStep>(i));
  }
}

TEST_F(FaultRecords, AWholeLifeBecomesOneRecord) {
  write("nemesis", Value::map({{"step", "plan"}, {"schedule", "random"}}));
  step(3, FaultStep::planned);
  step(3, FaultStep::postponed, {{Value("message"), Value("nothing runs")}});
  step(3, FaultStep::inject,
       {{Value("nodes"), Value::list({"n1", "n2"})}, {Value("fault"), Value::map({{"shape", "one"}})}});
  step(3, FaultStep::injected);
  step(3, FaultStep::disturbed, {{Value("evidence"), Value("hidden")}});
  step(3, FaultStep::confirmed, {{Value("evidence"), Value("gone")}});
  step(3, FaultStep::measured);
  step(3, FaultStep::heal);
  step(3, FaultStep::error, {{Value("message"), Value("first")}});
  step(3, FaultStep::error, {{Value("message"), Value("second")}});
  step(3, FaultStep::healed);
  step(3, FaultStep::disturbed, {{Value("evidence"), Value("not yet")}});
  step(3, FaultStep::recovered, {{Value("evidence"), Value("others run")}});
  step(1, FaultStep::planned);
  const History history = builder_.finish();
  EXPECT_EQ(nemesis_plan(history).find("schedule")->string(), "random");
  const auto records = fault_records(history);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].id, 1) << "by id";
  EXPECT_EQ(records[0].inject_ns, -1);
  const FaultRecord& record = records[1];
  EXPECT_EQ(record.fault, "kill");
  EXPECT_THAT(record.nodes, ElementsAre("n1", "n2"));
  EXPECT_EQ(record.description, Value::map({{"shape", "one"}}));
  EXPECT_THAT((std::vector{record.planned_ns, record.inject_ns, record.injected_ns, record.confirmed_ns, record.heal_ns,
                           record.healed_ns, record.heal_confirmed_ns}),
              ElementsAre(20, 40, 50, 70, 90, 120, 140));
  EXPECT_EQ(record.evidence, "gone") << "what was hidden before the healing is no evidence of the healing";
  EXPECT_EQ(record.heal_evidence, "others run");
  EXPECT_EQ(record.error, "first");
  EXPECT_EQ(to_value(record).find("healed_ns")->integer(), 120);
}

TEST_F(FaultRecords, WhatIsNoStepIsLeftToOthers) {
  write("start-partition", Value("isolated"));
  write("kill", Value::map({{"id", 1}}));
  write("kill", Value::map({{"step", "inject"}}));
  write("kill", Value::map({{"id", std::int64_t{1} << 40}, {"step", "inject"}}));
  write("kill", Value::map({{"id", 2}, {"step", "rehearsed"}}));
  const History history = builder_.finish();
  for (EventIndex e = 0; e < 4; ++e) EXPECT_FALSE(fault_event(history, e)) << e;
  EXPECT_EQ(fault_event(history, 4)->step, FaultStep::other) << "of a version that knows more";
  EXPECT_TRUE(nemesis_plan(history).is_nil());
  const auto records = fault_records(history);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].id, 2);
  EXPECT_EQ(records[0].inject_ns, -1);
}

}  // namespace
}  // namespace ordeal
