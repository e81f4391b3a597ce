#include <deque>
#include <map>
#include <random>

#include "checkers/linearizability/checker.h"
#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string put(std::string_view v, std::string_view type = "ok", int process = 0) {
  return op(process, "enqueue", v, type, v);
}
std::string get(std::string_view v, std::string_view type = "ok", int process = 1) {
  return op(process, "dequeue", "nil", type, v);
}
std::string drain(std::string_view all, std::string_view type = "ok", int process = 2) {
  return op(process, "drain", "nil", type, all);
}

TEST(Queue, EveryMessageWasPutIn) {
  EXPECT_EQ(verdict(judged("queue", put("1") + put("2") + get("1"))), "valid");
  EXPECT_EQ(verdict(judged("queue", put("1") + get("2"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("queue", put("1", "fail") + get("1"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("queue", get("1") + put("1"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("queue", put("1", "info") + get("1"))), "valid");
}

TEST(Queue, NoMessageTwice) {
  const auto twice = judged("queue", put("1") + get("1") + get("1"));
  EXPECT_EQ(verdict(twice), "duplicate-element");
  EXPECT_THAT(twice.anomalies[0].operations, ElementsAre(0, 2, 4));
  EXPECT_EQ(verdict(judged("queue", put("1") + put("1", "info", 5) + get("1") + get("1"))), "valid");
  EXPECT_EQ(verdict(judged("queue", put("1") + put("1", "fail", 5) + get("1") + get("1"))), "duplicate-element");
  EXPECT_EQ(verdict(judged("queue", put("1") + get("1") + get("1", "fail"))), "valid");
  EXPECT_EQ(verdict(judged("queue", put("1") + drain("[1 1]"))), "duplicate-element");
}

TEST(Queue, FirstInFirstOut) {
  EXPECT_EQ(verdict(judged("queue", put("1") + put("2") + get("2") + get("1"))), "reordered");
  EXPECT_EQ(verdict(judged("queue", put("1") + put("2") + get("2"))), "reordered");  // overtaken
  EXPECT_EQ(verdict(judged("queue", put("1") + put("2") + get("nil", "info", 5) + get("2"))), "valid");
  EXPECT_EQ(verdict(judged("queue", put("1") + put("2") + get("2") + get("1"), at("at-most-once"))), "valid");
  // Concurrent enqueues come in any order.
  EXPECT_EQ(verdict(judged("queue", event(5, "invoke", "enqueue", "1") + put("2") + event(5, "ok", "enqueue", "1") +
                                        get("2") + get("1"))),
            "valid");
}

TEST(Queue, EmptyOnlyWhenItIs) {
  EXPECT_EQ(verdict(judged("queue", put("1") + get("nil") + get("1"))), "false-empty");
  EXPECT_EQ(verdict(judged("queue", put("1") + get("1") + get("nil") + put("2") + get("2"))), "valid");
  // Two messages one after the other.
  const std::string took = event(8, "invoke", "dequeue", "nil") + put("2") + event(7, "invoke", "dequeue", "nil");
  EXPECT_EQ(verdict(judged("queue", put("1") + took + event(8, "ok", "dequeue", "nil") +
                                        event(7, "ok", "dequeue", "1") + get("2"))),
            "false-empty");
  EXPECT_EQ(verdict(judged("queue", put("1") + event(8, "invoke", "dequeue", "nil") + get("1") + put("2") +
                                        event(8, "ok", "dequeue", "nil") + get("2"))),
            "valid");
  EXPECT_EQ(verdict(judged("queue", put("1") + put("2") + get("1") + get("nil"))), "lost-element");
  EXPECT_EQ(verdict(judged("delivery", put("1") + get("nil") + drain("[1]"))), "false-empty");
  EXPECT_THAT(verdict(judged("delivery", put("1") + get("nil", "info", 5) + get("nil") + drain("[1]"))),
              HasSubstr("unknown outcome may have had them"));
}

// A message that a crashed operation may have taken was left out of account also before that operation began: a false
// valid.
TEST(RegressQueue, EmptyBeforeTheCrashedOneBegan) {
  for (const char* checker : {"queue", "total-queue", "delivery"}) {
    const auto found = judged(checker, put("1") + get("nil") + get("nil", "info", 5) + put("2") + get("2"));
    EXPECT_EQ(verdict(found), "false-empty") << checker;
    EXPECT_THAT(found.anomalies[0].sentences.back(), HasSubstr("never came out"));
    EXPECT_EQ(judged(checker, put("1") + get("nil", "info", 5) + get("nil") + put("2") + get("2")).verdict,
              Verdict::valid)
        << checker;
  }
}

// For messages that are put in once the anomalies of the level fifo are all that contradicts linearizability.
TEST(Queue, AgreesWithTheModel) {
  std::mt19937 random(5);
  std::map<std::string, int> seen;
  CheckOptions model;
  model.model = "queue";
  for (int round = 0; round < 6000; ++round) {
    std::deque<int> state;
    std::map<int, std::string> open;
    int next = 0;
    std::string text;
    const auto lies = static_cast<unsigned>(random() % 3);
    const bool crashes = random() % 3 == 0;
    for (unsigned step = 0; step < 16 || !open.empty(); ++step) {
      const int p = static_cast<int>(random() % 4);
      const auto found = open.find(p);
      if (found != open.end()) {
        const std::string f = found->second;
        open.erase(found);
        const bool crashed = crashes && random() % 6 == 0;
        if (f != "dequeue") {
          text += event(p, crashed ? "info" : "ok", "enqueue", f);
          continue;
        }
        std::string value = "nil";
        if (!state.empty() && random() % 8 >= lies) {
          const std::size_t at = random() % 8 < lies ? random() % state.size() : 0;
          value = std::to_string(state[at]);
          if (random() % 10 >= lies) state.erase(state.begin() + static_cast<std::ptrdiff_t>(at));
        }
        text += event(p, crashed ? "info" : "ok", "dequeue", crashed ? "nil" : value);
      } else if (step < 16 && random() % 2 == 0) {
        open[p] = std::to_string(next);
        text += event(p, "invoke", "enqueue", open[p]);
        state.push_back(next++);
      } else if (step < 16) {
        open[p] = "dequeue";
        text += event(p, "invoke", "dequeue", "nil");
      }
    }
    const History h = history_of(text);
    const CheckResult result = judged("queue", h);
    const Verdict expected = linearizable_checker()->check(h, model).verdict;
    if (expected == Verdict::valid || !crashes) {
      ASSERT_EQ(result.verdict == Verdict::invalid, expected == Verdict::invalid) << text << verdict(result);
    }
    for (const auto& anomaly : result.anomalies) ++seen[anomaly.type];
    ++seen[std::string(name(result.verdict)) + (crashes ? " with crashes" : "")];
  }
  for (const char* what : {"valid", "invalid", "valid with crashes", "invalid with crashes", "reordered", "false-empty",
                           "duplicate-element", "lost-element"}) {
    EXPECT_GT(seen[what], 20) << what;
  }
}

TEST(Queue, UnknownWhenNothingCameOut) {
  EXPECT_THAT(verdict(judged("queue", put("1") + get("nil", "fail"))), HasSubstr("no message came out"));
  EXPECT_THAT(verdict(judged("queue", put("1") + drain("7"))), HasSubstr("a list of messages"));
  EXPECT_THAT(verdict(judged("queue", put("1") + ok(0, "peek", "nil", "1"))), HasSubstr("not peek"));
}

TEST(TotalQueue, WhatGoesInComesOut) {
  EXPECT_EQ(verdict(judged("total-queue", put("1") + put("2") + get("1") + drain("[2]"))), "valid");
  const auto lost = judged("total-queue", put("1") + put("2") + get("1") + drain("[]"));
  EXPECT_EQ(verdict(lost), "lost-element");
  EXPECT_THAT(lost.anomalies[0].operations, ElementsAre(2, 6));
  // An ok dequeue of nil found the queue empty, too.
  EXPECT_EQ(verdict(judged("total-queue", put("1") + put("2") + get("2") + get("nil"))), "lost-element");
}

TEST(TotalQueue, DuplicatesAreCountedWhereTheyAreAllowed) {
  const std::string twice = put("1") + get("1") + drain("[1]");
  const auto counted = judged("total-queue", twice, at("at-least-once"));
  EXPECT_EQ(verdict(counted), "valid");
  EXPECT_EQ(count(counted, "duplicated"), 1);
  EXPECT_EQ(verdict(judged("total-queue", twice)), "duplicate-element");
}

TEST(TotalQueue, CrashedEnqueuesMayBeMissing) {
  EXPECT_EQ(verdict(judged("total-queue", put("1") + put("2", "info", 5) + drain("[1]"))), "valid");
  EXPECT_EQ(verdict(judged("total-queue", put("1") + put("2", "fail", 5) + drain("[1]"))), "valid");
  EXPECT_EQ(count(judged("total-queue", put("1") + put("2", "info", 5) + drain("[1 2]")), "recovered"), 1);
}

TEST(TotalQueue, CrashedDequeuesMayHaveTakenOneEach) {
  const std::string one = put("1") + put("2") + put("3") + get("nil", "info", 7);
  EXPECT_EQ(verdict(judged("total-queue", one + drain("[1 2]"))), "valid");
  EXPECT_EQ(verdict(judged("total-queue", one + drain("[1]"))), "lost-element lost-element");
  EXPECT_EQ(verdict(judged("total-queue", one + drain("nil", "info", 8) + drain("[1]"))), "valid");
}

TEST(TotalQueue, OnlyAnEmptyQueueProvesALoss) {
  EXPECT_THAT(verdict(judged("total-queue", put("1") + put("2") + get("1"))), HasSubstr("not drained"));
  // Acknowledged after the drain began.
  EXPECT_THAT(verdict(judged("total-queue", put("1") + event(2, "invoke", "drain", "nil") + put("2") +
                                                event(2, "ok", "drain", "[1]"))),
              HasSubstr("not drained"));
}

TEST(Delivery, OrderOfAKey) {
  const CheckOptions ordered = with("delivery", {{"delivery.ordered", "true"}});
  const std::string sent = put("[:a 1]") + put("[:a 2]") + put("[:b 1]");
  EXPECT_EQ(verdict(judged("delivery", sent + get("[:b 1]") + get("[:a 1]") + drain("[[:a 2]]"), ordered)), "valid");
  const std::string wrong = sent + get("[:a 2]") + get("[:a 1]") + drain("[[:b 1]]");
  const auto reordered = judged("delivery", wrong, ordered);
  EXPECT_EQ(verdict(reordered), "reordered");
  EXPECT_THAT(reordered.anomalies[0].operations, ElementsAre(0, 2, 6, 8));
  EXPECT_EQ(verdict(judged("delivery", wrong, with("delivery", {{"delivery.ordered", "false"}}))), "valid");
  EXPECT_EQ(verdict(judged("delivery", sent + drain("[[:a 2] [:b 1] [:a 1]]"), ordered)), "reordered");
  EXPECT_EQ(verdict(judged("delivery", sent + drain("[[:a 1] [:b 1] [:a 2]]"), ordered)), "valid");
}

TEST(Delivery, ConcurrencyHidesTheOrder) {
  const CheckOptions ordered = with("delivery", {{"delivery.ordered", "true"}});
  EXPECT_EQ(verdict(judged("delivery",
                           event(5, "invoke", "enqueue", "[:a 1]") + put("[:a 2]") +
                               event(5, "ok", "enqueue", "[:a 1]") + get("[:a 2]") + drain("[[:a 1]]"),
                           ordered)),
            "valid");
  EXPECT_EQ(verdict(judged("delivery",
                           put("[:a 1]") + put("[:a 2]") + event(5, "invoke", "dequeue", "nil") + get("[:a 2]") +
                               event(5, "ok", "dequeue", "[:a 1]") + drain("[]"),
                           ordered)),
            "valid");
  EXPECT_EQ(verdict(judged("delivery", put("[:a 1]", "info", 5) + put("[:a 2]") + get("[:a 2]") + drain("[[:a 1]]"),
                           ordered)),
            "valid");
}

TEST(Delivery, ACrashedDequeueMayHaveBeenTheFirstDelivery) {
  CheckOptions ordered = with("delivery", {{"delivery.ordered", "true"}});
  const std::string history = put("[:a 1]") + put("[:a 2]") + get("nil", "info", 5) + get("[:a 2]") + drain("[[:a 1]]");
  EXPECT_EQ(verdict(judged("delivery", history, ordered)), "reordered");
  ordered.consistency = "at-least-once";
  EXPECT_THAT(verdict(judged("delivery", history, ordered)), HasSubstr("may have delivered it before"));
}

TEST(Delivery, Guarantees) {
  const std::string lost = put("1") + put("2") + get("1") + drain("[]");
  const std::string twice = put("1") + get("1") + drain("[1]");
  EXPECT_EQ(verdict(judged("delivery", lost)), "lost-element");
  EXPECT_EQ(verdict(judged("delivery", lost, at("at-least-once"))), "lost-element");
  EXPECT_EQ(verdict(judged("delivery", lost, at("at-most-once"))), "valid");
  EXPECT_EQ(verdict(judged("delivery", twice)), "duplicate-element");
  EXPECT_EQ(verdict(judged("delivery", twice, at("at-least-once"))), "valid");
  EXPECT_EQ(verdict(judged("delivery", twice, at("at-most-once"))), "duplicate-element");
}

}  // namespace
}  // namespace ordeal::work
