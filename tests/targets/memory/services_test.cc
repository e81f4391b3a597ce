// What the memory target offers beside data under keys, and that each bug shows.

#include "targets/memory/services.h"

#include <gtest/gtest.h>

#include "targets/memory/log_broker.h"

namespace ordeal::memory {
namespace {

std::string text(const Completion& done) {
  std::string out(name(done.type));
  if (done.error) out += " " + done.error->kind;
  if (done.value) out += " " + done.value->to_json();
  return out;
}

class ServicesTest : public testing::Test {
 protected:
  std::chrono::nanoseconds now_{0};
  Rng rng_{1};

  Services services(Bug bug = Bug::none) {
    return Services({bug, 1}, [this] { return now_; });
  }
  std::string apply(Services& s, std::string_view type, std::string f, std::string_view value = "null",
                    std::uint64_t client = 0, std::optional<Value> key = std::nullopt) {
    const auto done = s.apply(type, {std::move(f), std::move(key), *Value::from_json(value)}, client, rng_);
    return done ? text(*done) : "not here";
  }
};

TEST_F(ServicesTest, OnlyTheirOwnDataTypes) {
  Services s = services();
  EXPECT_EQ(apply(s, "register", "read"), "not here");
  EXPECT_EQ(apply(s, "", "insert"), "not here");
}

TEST_F(ServicesTest, OneRowAKey) {
  Services s = services();
  EXPECT_EQ(apply(s, "g2", "insert", "[1,null]", 0, Value(7)), "ok");
  EXPECT_EQ(apply(s, "g2", "insert", "[null,2]", 1, Value(7)), "fail exists");
  Services skewed = services(Bug::write_skew);
  EXPECT_EQ(apply(skewed, "g2", "insert", "[1,null]", 0, Value(7)), "ok");
  EXPECT_EQ(apply(skewed, "g2", "insert", "[null,2]", 1, Value(7)), "ok");
}

TEST_F(ServicesTest, StampsGrowWithTheirValues) {
  Services s = services();
  EXPECT_EQ(apply(s, "monotonic", "stamp"), R"(ok {"val":0,"sts":1})");
  now_ = std::chrono::nanoseconds(5);
  EXPECT_EQ(apply(s, "monotonic", "stamp"), R"(ok {"val":1,"sts":5})");
  EXPECT_EQ(apply(s, "monotonic", "read"), R"(ok [{"val":0,"sts":1},{"val":1,"sts":5}])");
}

TEST_F(ServicesTest, ChainsAreReadInReverse) {
  Services s = services();
  EXPECT_EQ(apply(s, "sequential", "read-chain", "3"), "ok [3,[null,null,null,null,null]]");
  EXPECT_EQ(apply(s, "sequential", "write-chain", "3"), "ok");
  EXPECT_EQ(apply(s, "sequential", "read-chain", "3"), R"(ok [3,["3_4","3_3","3_2","3_1","3_0"]])");
  Services buggy = services(Bug::lost_write);
  apply(buggy, "sequential", "write-chain", "3");
  EXPECT_NE(apply(buggy, "sequential", "read-chain", "3").find("null"), std::string::npos);
}

TEST_F(ServicesTest, OneLeader) {
  Services s = services();
  EXPECT_EQ(apply(s, "election", "leader"), R"(ok {"term":0,"leader":null})");
  EXPECT_EQ(apply(s, "election", "campaign", "\"a\"", 1), "ok 1");
  EXPECT_EQ(apply(s, "election", "campaign", "\"b\"", 2), "fail led");
  EXPECT_EQ(apply(s, "election", "resign", "null", 2), "fail not-leader");
  EXPECT_EQ(apply(s, "election", "leader"), R"(ok {"term":1,"leader":"a"})");
  EXPECT_EQ(apply(s, "election", "resign", "null", 1), "ok");
  EXPECT_EQ(apply(s, "election", "campaign", "\"b\"", 2), "ok 2");
  s.forget(2);
  EXPECT_EQ(apply(s, "election", "campaign", "\"a\"", 1), "ok 3");
}

TEST_F(ServicesTest, LeadersWithBugs) {
  Services skewed = services(Bug::write_skew);
  EXPECT_EQ(apply(skewed, "election", "campaign", "\"a\"", 1), "ok 1") << "without a leader the term is new";
  EXPECT_EQ(apply(skewed, "election", "campaign", "\"b\"", 2), "ok 1") << "two leaders of one term";
  Services twice = services(Bug::duplicate);
  EXPECT_EQ(apply(twice, "election", "campaign", "\"a\"", 1), "ok 1");
  EXPECT_EQ(apply(twice, "election", "campaign", "\"b\"", 2), "ok 2") << "two leaders at once";
  Services stale = services(Bug::stale_read);
  EXPECT_EQ(apply(stale, "election", "campaign", "\"a\"", 1), "ok 1");
  EXPECT_EQ(apply(stale, "election", "campaign", "\"b\"", 2), "fail led");
  EXPECT_EQ(apply(stale, "election", "leader"), R"(ok {"term":0,"leader":null})");
}

TEST_F(ServicesTest, EachIdempotencyKeyOnce) {
  Services s = services();
  EXPECT_EQ(apply(s, "idempotency", "apply", "5"), R"(ok {"applied-before":0})");
  EXPECT_EQ(apply(s, "idempotency", "apply", "6"), R"(ok {"applied-before":1})");
  EXPECT_EQ(apply(s, "idempotency", "apply", "5"), R"(ok {"applied-before":0})");
  EXPECT_EQ(apply(s, "idempotency", "read"), "ok [5,6]");
  Services buggy = services(Bug::duplicate);
  apply(buggy, "idempotency", "apply", "5");
  apply(buggy, "idempotency", "apply", "5");
  EXPECT_EQ(apply(buggy, "idempotency", "read"), "ok [5,5]");
}

TEST_F(ServicesTest, TenRequestsInAHundredMilliseconds) {
  Services s = services();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(apply(s, "rate-limit", "request"), "ok");
  now_ = std::chrono::milliseconds(99);
  EXPECT_EQ(apply(s, "rate-limit", "request"), "fail limited");
  now_ = std::chrono::milliseconds(100);
  EXPECT_EQ(apply(s, "rate-limit", "request"), "ok");
}

TEST_F(ServicesTest, LimitsWithBugs) {
  Services stale = services(Bug::stale_read);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(apply(stale, "rate-limit", "request"), "ok");
  now_ = std::chrono::milliseconds(199);
  EXPECT_EQ(apply(stale, "rate-limit", "request"), "fail limited") << "it looks twice as far back";
  now_ = std::chrono::milliseconds(200);
  EXPECT_EQ(apply(stale, "rate-limit", "request"), "ok");
  Services lost = services(Bug::lost_write);
  for (int i = 0; i < 11; ++i) EXPECT_EQ(apply(lost, "rate-limit", "request"), "ok") << "it forgets what it granted";
}

TEST_F(ServicesTest, SagasAreCompleteOrCompensated) {
  Services s = services();
  EXPECT_EQ(apply(s, "saga", "saga", R"({"id":1,"from":0,"to":1,"amount":15})"), "ok");
  EXPECT_EQ(apply(s, "saga", "saga", R"({"id":2,"from":0,"to":1,"amount":15})"), "fail insufficient");
  EXPECT_EQ(apply(s, "saga", "read"),
            R"(ok {"balances":{"0":5,"1":35},"events":[[1,0,-15],[1,1,15],[2,0,-15],[2,0,15]]})");
  EXPECT_EQ(apply(s, "saga", "saga", "7"), "fail bad-operation");
  Services half = services(Bug::lost_write);
  apply(half, "saga", "saga", R"({"id":1,"from":0,"to":1,"amount":15})");
  EXPECT_EQ(apply(half, "saga", "read"), R"(ok {"balances":{"0":5},"events":[[1,0,-15]]})");
}

class LogBrokerTest : public testing::Test {
 protected:
  Rng rng_{1};
  std::string apply(LogBroker& broker, std::string f, std::string_view value, std::uint64_t client = 0) {
    return text(broker.apply({std::move(f), std::nullopt, *Value::from_json(value)}, client, rng_));
  }
};

TEST_F(LogBrokerTest, ConsumersStandSomewhereInEachLog) {
  LogBroker broker({Bug::none, 1});
  EXPECT_EQ(apply(broker, "send", R"([["send",0,"a"],["send",1,"b"],["send",0,"c"]])"),
            R"(ok [["send",0,[0,"a"]],["send",1,[0,"b"]],["send",0,[1,"c"]]])");
  EXPECT_EQ(apply(broker, "poll", R"([["poll"]])", 1), R"(ok [["poll",{}]])");
  EXPECT_EQ(apply(broker, "assign", "[0]", 1), "ok");
  EXPECT_EQ(apply(broker, "poll", R"([["poll"]])", 1), R"(ok [["poll",{"0":[[0,"a"],[1,"c"]]}]])");
  EXPECT_EQ(apply(broker, "poll", R"([["poll"]])", 1), R"(ok [["poll",{}]])");
  EXPECT_EQ(apply(broker, "assign", "[0,1]", 1), "ok");
  EXPECT_EQ(apply(broker, "poll", R"([["poll"]])", 1), R"(ok [["poll",{"1":[[0,"b"]]}]])");
  EXPECT_EQ(apply(broker, "send", "[7]"), "fail bad-operation");
}

TEST_F(LogBrokerTest, BugsShow) {
  const auto polled = [&](Bug bug) {
    LogBroker broker({bug, 1});
    apply(broker, "send", R"([["send",0,"a"],["send",0,"b"]])");
    apply(broker, "assign", "[0]");
    const std::string first = apply(broker, "poll", R"([["poll"]])");
    return first + " " + apply(broker, "poll", R"([["poll"]])");
  };
  EXPECT_EQ(polled(Bug::none), R"(ok [["poll",{"0":[[0,"a"],[1,"b"]]}]] ok [["poll",{}]])");
  EXPECT_EQ(polled(Bug::lost_write), R"(ok [["poll",{}]] ok [["poll",{}]])");
  EXPECT_EQ(polled(Bug::duplicate), R"(ok [["poll",{"0":[[0,"a"],[1,"a"],[2,"b"],[3,"b"]]}]] ok [["poll",{}]])");
  EXPECT_EQ(polled(Bug::reorder), R"(ok [["poll",{"0":[[1,"b"],[0,"a"]]}]] ok [["poll",{}]])");
  EXPECT_EQ(polled(Bug::stale_read), R"(ok [["poll",{"0":[[0,"a"],[1,"b"]]}]] ok [["poll",{"0":[[0,"a"],[1,"b"]]}]])");
}

}  // namespace
}  // namespace ordeal::memory
