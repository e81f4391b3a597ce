#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

std::string add(std::string_view n, std::string_view type = "ok") { return op(0, "add", n, type, n); }
std::string read(std::string_view n) { return ok(1, "read", "nil", n); }

TEST(Counter, ExactReads) {
  EXPECT_EQ(verdict(judged("counter", read("0") + add("1") + read("1") + add("4") + read("5"))), "valid");
  EXPECT_EQ(verdict(judged("counter", add("1") + read("0"))), "counter-out-of-bounds");
  const auto above = judged("counter", add("1") + read("2"));
  EXPECT_EQ(verdict(above), "counter-out-of-bounds");
  EXPECT_THAT(above.anomalies[0].explanation, HasSubstr("from 1 to 1"));
}

TEST(Counter, ConcurrentAddsWidenTheBounds) {
  const auto with_read = [](std::string_view n) {
    return event(2, "invoke", "add", "3") + event(1, "invoke", "read", "") + add("1") + event(1, "ok", "read", n) +
           event(2, "ok", "add", "3") + read("4");
  };
  for (const char* n : {"0", "1", "3", "4"}) EXPECT_EQ(verdict(judged("counter", with_read(n))), "valid") << n;
  for (const char* n : {"-1", "5"}) EXPECT_EQ(verdict(judged("counter", with_read(n))), "counter-out-of-bounds") << n;
}

TEST(Counter, CrashedAddsMayCountAtAnyTimeAndFailedOnesNever) {
  const std::string crashed = add("1") + add("2", "info");
  for (const char* n : {"1", "3"}) EXPECT_EQ(verdict(judged("counter", crashed + read(n))), "valid") << n;
  EXPECT_EQ(verdict(judged("counter", crashed + read("1") + read("3") + read("1"))), "valid");  // by the bounds alone
  EXPECT_EQ(verdict(judged("counter", crashed + read("4"))), "counter-out-of-bounds");
  EXPECT_EQ(verdict(judged("counter", add("1") + op(2, "add", "2", "fail", "2") + read("3"))), "counter-out-of-bounds");
}

TEST(Counter, Decrements) {
  const std::string crashed = add("5") + op(2, "add", "-3", "info", "-3");
  for (const char* n : {"5", "2"}) EXPECT_EQ(verdict(judged("counter", crashed + read(n))), "valid") << n;
  for (const char* n : {"6", "1"})
    EXPECT_EQ(verdict(judged("counter", crashed + read(n))), "counter-out-of-bounds") << n;
}

TEST(Counter, AnInitialValueAndKeys) {
  CheckOptions options;
  options.initial = Value(10);
  EXPECT_EQ(verdict(judged("counter", add("1") + read("11"), options)), "valid");
  const std::string keyed =
      ok(0, "add", "[:a 1]") + ok(1, "read", "[:b nil]", "[:b 0]") + ok(1, "read", "[:a nil]", "[:a 1]");
  EXPECT_EQ(verdict(judged("counter", history_of(keyed, true))), "valid");
}

TEST(Counter, UnknownWhenNothingWasSeenOrUnderstood) {
  EXPECT_THAT(verdict(judged("counter", add("1"))), HasSubstr("no read succeeded"));
  EXPECT_THAT(verdict(judged("counter", read("0"))), HasSubstr("no add succeeded"));
  EXPECT_THAT(verdict(judged("counter", add("1") + read("nil"))), HasSubstr("a whole number"));
  EXPECT_THAT(verdict(judged("counter", add("[1]") + read("1"))), HasSubstr("a whole number"));
  EXPECT_THAT(verdict(judged("counter", add("1") + read("0") + ok(0, "reset", "nil"))), HasSubstr("not reset"));
}

TEST(WorkloadCheckers, StopAtTheLimits) {
  std::stop_source stop;
  stop.request_stop();
  for (const WorkloadChecker& one : workload_checkers()) {
    CheckOptions options;
    options.stop = stop.get_token();
    const CheckResult result = judged(one.name, add("1") + read("1"), options);
    EXPECT_EQ(result.verdict, Verdict::unknown) << one.name;
    EXPECT_EQ(result.reason, "stopped on request while the checker " + one.name + " went through the history");
    options = {};
    options.memory_bytes = 1;
    EXPECT_THAT(judged(one.name, add("1") + read("1"), options).reason, HasSubstr("memory limit")) << one.name;
  }
}

TEST(UniqueIds, NoneTwice) {
  const auto generate = [](std::string_view id, std::string_view type = "ok") {
    return op(0, "generate", "nil", type, id);
  };
  EXPECT_EQ(verdict(judged("unique-ids", generate("1") + generate("\"1\"") + generate("[1 2]"))), "valid");
  EXPECT_EQ(verdict(judged("unique-ids", generate("1") + generate("2") + generate("1"))), "duplicate-id");
  EXPECT_EQ(verdict(judged("unique-ids", generate("1") + generate("2") + generate("1", "fail"))), "valid");
  EXPECT_THAT(verdict(judged("unique-ids", generate("1"))), HasSubstr("fewer than two"));
  EXPECT_THAT(verdict(judged("unique-ids", generate("nil"))), HasSubstr("an id"));
}

// By the same process and by another, at once and much later, of every kind of id; each twice is told once.
TEST(UniqueIds, WhateverTheyAreAndWhoeverGotThem) {
  const auto by = [](int process, std::string_view id) { return ok(process, "generate", "nil", id); };
  for (const std::string id : {"7", "-7", "\"id\"", "[1 2]", "{:epoch 3 :n 4}", "9223372036854775807"}) {
    EXPECT_EQ(verdict(judged("unique-ids", by(0, id) + by(0, id))), "duplicate-id") << id;
    EXPECT_EQ(verdict(judged("unique-ids", by(0, id) + by(1, "0") + by(2, "\"\"") + by(3, id))), "duplicate-id") << id;
    const std::string open = event(4, "invoke", "generate", "nil");
    EXPECT_EQ(verdict(judged("unique-ids", open + by(5, id) + event(4, "ok", "generate", id))), "duplicate-id")
        << id << ", got at the same time";
  }
  const auto thrice = judged("unique-ids", by(0, "1") + by(1, "2") + by(2, "1") + by(3, "1"));
  EXPECT_EQ(thrice.verdict, Verdict::invalid);
  EXPECT_THAT(thrice.anomalies[0].explanation, HasSubstr("1"));
  EXPECT_EQ(verdict(judged("unique-ids", by(0, "1") + by(1, "1") + by(2, "2") + by(3, "2"))),
            "duplicate-id duplicate-id");
  EXPECT_EQ(verdict(judged("unique-ids", by(0, "1") + op(1, "generate", "nil", "info", "1") + by(2, "2"))), "valid")
      << "what a crashed call would have returned nobody got";
}

TEST(CausalReverse, WhoSeesAWriteSeesThoseBeforeIt) {
  const auto write = [](int p, std::string_view v, std::string_view type = "ok") { return op(p, "write", v, type, v); };
  const auto see = [](std::string_view v) { return ok(9, "read", "nil", v); };
  EXPECT_EQ(verdict(judged("causal-reverse", see("[]") + write(0, "1") + see("#{1}") + write(1, "2") + see("[2 1]"))),
            "valid");
  const auto reversed = judged("causal-reverse", write(0, "1") + write(1, "2") + see("#{2}"));
  EXPECT_EQ(verdict(reversed), "causal-reverse lost-element");
  EXPECT_THAT(reversed.anomalies[0].operations, testing::ElementsAre(0, 2, 4));
  // Concurrent writes, and one that was never acknowledged, have no order.
  EXPECT_EQ(verdict(judged("causal-reverse", event(0, "invoke", "write", "1") + write(1, "2") +
                                                 event(9, "invoke", "read", "") + event(0, "ok", "write", "1") +
                                                 event(9, "ok", "read", "[2]"))),
            "valid");
  EXPECT_EQ(verdict(judged("causal-reverse", write(0, "1", "info") + write(1, "2") + see("[2]"))), "valid");
  // The later write crashed, but was seen.
  EXPECT_EQ(verdict(judged("causal-reverse", write(0, "1") + write(1, "2", "info") + see("[2]"))),
            "causal-reverse lost-element");
  EXPECT_EQ(verdict(judged("causal-reverse", write(0, "1", "fail") + see("[1]"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("causal-reverse", see("[1]") + write(0, "1"))), "unexpected-element");
  // A value written again: the first time may be what is seen.
  EXPECT_EQ(verdict(judged("causal-reverse", write(0, "2", "info") + event(9, "invoke", "read", "") + write(1, "1") +
                                                 write(1, "2") + event(9, "ok", "read", "[2]"))),
            "valid");
}

TEST(CausalReverse, StaleReadsAndLosses) {
  const auto write = [](int p, std::string_view v) { return ok(p, "write", v); };
  const auto see = [](std::string_view v) { return ok(9, "read", "nil", v); };
  // A frozen prefix: in order, and stale.
  EXPECT_EQ(verdict(judged("causal-reverse", write(0, "1") + write(1, "2") + see("[1]") + see("[1 2]"))), "stale-read");
  EXPECT_EQ(verdict(judged("causal-reverse", write(0, "1") + see("[1]") + see("[]"))), "lost-element");
  EXPECT_EQ(verdict(judged("causal-reverse", write(0, "1") + see("[1 1]"))), "duplicate-element");
}

TEST(CausalReverse, Tuples) {
  const std::string history = ok(0, "write", "[7 1]") + ok(1, "write", "[7 2]") + ok(2, "read", "[7 nil]", "[7 #{2}]");
  EXPECT_EQ(verdict(judged("causal-reverse", history_of(history, true))), "causal-reverse lost-element");
  EXPECT_THAT(verdict(judged("causal-reverse", history)), HasSubstr("--independent"));
  EXPECT_THAT(verdict(judged("causal-reverse", ok(1, "read", "nil", "[]") + ok(0, "write", "1"))),
              HasSubstr("nothing is known"));
}

}  // namespace
}  // namespace ordeal::work
