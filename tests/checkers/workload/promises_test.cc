#include <algorithm>
#include <random>

#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string apply(std::string_view id, std::string_view type = "ok", int process = 0) {
  return op(process, "apply", id, type, id);
}
std::string read(std::string_view all) { return ok(9, "read", "nil", all); }

TEST(Idempotency, EachKeyOnce) {
  const std::string twice = apply("1") + apply("1") + apply("2");
  EXPECT_EQ(verdict(judged("idempotency", twice + read("[1 2]"))), "valid");
  EXPECT_EQ(verdict(judged("idempotency", twice + read("[1 2 1]"))), "applied-twice");
  EXPECT_EQ(verdict(judged("idempotency", twice + read("[1]"))), "lost-element");
  EXPECT_EQ(verdict(judged("idempotency", twice + read("[1 2 3]"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("idempotency", twice + apply("3", "fail") + read("[1 2 3]"))), "unexpected-element");
}

TEST(Idempotency, ACrashedAttemptAndItsRepetition) {
  const std::string crashed = apply("1", "info", 5) + apply("1") + apply("2", "info", 6);
  EXPECT_EQ(verdict(judged("idempotency", crashed + read("[1]"))), "valid");
  EXPECT_EQ(verdict(judged("idempotency", crashed + read("[1 2]"))), "valid");
  EXPECT_EQ(verdict(judged("idempotency", crashed + read("[]"))), "lost-element");
  EXPECT_EQ(verdict(judged("idempotency", crashed + read("[1 1]"))), "applied-twice");
}

TEST(Idempotency, WhatWasSeenStays) {
  const std::string crashed = op(0, "apply", "1", "info", "1") + ok(1, "apply", "2") + ok(1, "apply", "2");
  EXPECT_EQ(verdict(judged("idempotency", crashed + ok(2, "read", "nil", "[2]"))), "valid");
  EXPECT_EQ(verdict(judged("idempotency", crashed + ok(2, "read", "nil", "[1 2]") + ok(3, "read", "nil", "[2]"))),
            "lost-element");
  EXPECT_EQ(verdict(judged("idempotency", crashed + ok(2, "read", "nil", "[2 2]"))), "applied-twice");
  EXPECT_THAT(verdict(judged("idempotency", ok(2, "read", "nil", "[]") + crashed)), HasSubstr("no read showed"));
}

TEST(Idempotency, AnswersAgree) {
  const auto answered = [](std::string_view id, std::string_view result) {
    return ok(0, "apply", "{:id " + std::string(id) + "}", result);
  };
  EXPECT_EQ(verdict(judged("idempotency", answered("1", "10") + answered("1", "10") + read("[1]"))), "valid");
  EXPECT_EQ(verdict(judged("idempotency", answered("1", "10") + answered("1", "11") + read("[1]"))),
            "different-answers");
  EXPECT_THAT(verdict(judged("idempotency", apply("1") + read("[1]"))), HasSubstr("sent twice"));
  EXPECT_THAT(verdict(judged("idempotency", apply("1") + apply("1"))), HasSubstr("no read succeeded"));
}

// Requests of a millisecond each, granted or not, at these times in ms.
std::string requests(const std::vector<std::pair<int, const char*>>& all) {
  std::string out;
  int process = 0;
  for (const auto& [at_ms, type] : all) {
    const std::string begin = "{:process " + std::to_string(process++) + " :f :request :time ";
    out += begin + std::to_string(at_ms + 1) + "000000 :type :invoke}" + begin + std::to_string(at_ms + 2) +
           "000000 :type :" + type + "}\n";
  }
  return out;
}

TEST(RateLimit, NoWindowHoldsMore) {
  const CheckOptions two = with("rate-limit", {{"rate-limit.limit", "2"}, {"rate-limit.window", "100ms"}});
  EXPECT_EQ(
      verdict(judged("rate-limit", requests({{0, "ok"}, {50, "ok"}, {60, "fail"}, {101, "ok"}, {151, "ok"}}), two)),
      "valid");
  const auto many = judged("rate-limit", requests({{0, "ok"}, {50, "ok"}, {98, "ok"}, {300, "ok"}}), two);
  EXPECT_EQ(verdict(many), "too-many-grants");
  EXPECT_THAT(many.anomalies[0].operations, ElementsAre(0, 2, 4));
  // From the first invocation to the last answer it is 100 ms: the grants may be as far apart.
  EXPECT_EQ(verdict(judged("rate-limit", requests({{0, "ok"}, {50, "ok"}, {99, "ok"}}), two)), "valid");
  EXPECT_EQ(verdict(judged("rate-limit", requests({{0, "ok"}, {50, "info"}, {60, "ok"}, {200, "ok"}}), two)), "valid");
}

TEST(RateLimit, NobodyIsDeniedWithoutNeed) {
  const CheckOptions two = with("rate-limit", {{"rate-limit.limit", "2"}, {"rate-limit.window", "100ms"}});
  EXPECT_EQ(verdict(judged("rate-limit", requests({{0, "ok"}, {10, "ok"}, {20, "fail"}, {150, "ok"}}), two)), "valid");
  EXPECT_EQ(verdict(judged("rate-limit", requests({{0, "ok"}, {50, "fail"}, {150, "ok"}, {300, "ok"}}), two)),
            "needless-denial");
  // For ever.
  EXPECT_EQ(verdict(judged("rate-limit", requests({{0, "ok"}, {10, "ok"}, {500, "fail"}, {900, "fail"}}), two)),
            "needless-denial needless-denial");
  // One of unknown outcome may have counted.
  EXPECT_EQ(
      verdict(judged("rate-limit", requests({{0, "ok"}, {10, "info"}, {50, "fail"}, {150, "ok"}, {300, "ok"}}), two)),
      "valid");
  const CheckOptions fixed = with("rate-limit", {{"rate-limit.limit", "1"}, {"rate-limit.denials", "false"}});
  EXPECT_EQ(verdict(judged("rate-limit", requests({{0, "ok"}, {500, "fail"}, {900, "ok"}}), fixed)), "valid");
}

// A request, and when its two events were, in ms.
struct Request {
  int begin = 0, end = 0;
  const char* type = "ok";
};
std::string timed(const std::vector<Request>& all) {
  std::vector<std::pair<int, std::string>> events;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string process = ":process " + std::to_string(i) + " :f :request :type :";
    events.emplace_back(all[i].begin, process + "invoke}\n");
    events.emplace_back(all[i].end, process + all[i].type + "}\n");
  }
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [at, text] : events) out += "{:time " + std::to_string(at) + "000000 " + text;
  return out;
}

// One slow grant explained a denial at its beginning and another one at its end, more than a window later, each looked
// at alone: it took place once.
TEST(RegressRateLimit, DenialsAreJudgedTogether) {
  const CheckOptions one = with("rate-limit", {{"rate-limit.limit", "1"}, {"rate-limit.window", "100ms"}});
  const Request slow = {1, 400, "ok"}, early = {50, 51, "fail"}, late = {350, 351, "fail"}, next = {600, 601, "ok"};
  EXPECT_EQ(verdict(judged("rate-limit", timed({slow, early, next}), one)), "valid");
  EXPECT_EQ(verdict(judged("rate-limit", timed({slow, late, next}), one)), "valid");
  const auto both = judged("rate-limit", timed({slow, early, late, next}), one);
  ASSERT_EQ(verdict(both), "needless-denial");
  EXPECT_THAT(both.anomalies[0].operations, ElementsAre(0, 1, 3));
  EXPECT_THAT(both.anomalies[0].explanation, HasSubstr("1 more must have been granted before that"));
  EXPECT_EQ(verdict(judged("rate-limit", timed({slow, early, {200, 300, "ok"}, late, next}), one)), "valid");
}

// Whether some instants of the grants give each denial `limit` of them from a window before it on.
bool some_instants(const std::vector<Request>& all, std::size_t limit, int window, std::vector<int>& at) {
  if (at.size() == all.size()) {
    return std::all_of(all.begin(), all.end(), [&](const Request& denial) {
      if (std::string_view(denial.type) != "fail") return true;
      std::size_t count = 0;
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (std::string_view(all[i].type) == "fail" || at[i] < denial.begin - window || at[i] > denial.end) continue;
        ++count;
      }
      return count >= limit;
    });
  }
  const Request& next = all[at.size()];
  const std::string_view type = next.type;
  const int until = type == "fail" ? next.begin : type == "info" ? 60 : next.end;
  for (int instant = next.begin; instant <= until; ++instant) {
    at.push_back(instant);
    const bool good = some_instants(all, limit, window, at);
    at.pop_back();
    if (good) return true;
  }
  return false;
}

TEST(RateLimit, DenialsAgainstAllInstants) {
  std::mt19937 random(23);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  int needless = 0, fine = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<Request> all;
    const int grants = 1 + below(3);
    for (int i = 0; i < grants + 3; ++i) {
      const int begin = below(30);
      all.push_back({begin, begin + 1 + below(i < grants ? 14 : 3),
                     i >= grants     ? "fail"
                     : below(8) == 0 ? "info"
                                     : "ok"});
    }
    const std::size_t limit = 1 + static_cast<std::size_t>(below(2));
    const int window = 2 + below(6);
    const auto result = judged("rate-limit", timed(all),
                               with("rate-limit", {{"rate-limit.limit", limit == 1 ? "1" : "2"},
                                                   {"rate-limit.window", (std::to_string(window) + "ms").c_str()}}));
    const bool told = std::any_of(result.anomalies.begin(), result.anomalies.end(),
                                  [](const Anomaly& one) { return one.type == "needless-denial"; });
    std::vector<int> at;
    ASSERT_EQ(told, !some_instants(all, limit, window, at)) << "limit " << limit << ", window " << window << "\n"
                                                            << timed(all);
    ++(told ? needless : fine);
  }
  EXPECT_GT(needless, 500);
  EXPECT_GT(fine, 200);
}

TEST(RateLimit, UnknownWithoutTimesOrPressure) {
  EXPECT_THAT(verdict(judged("rate-limit", ok(0, "request", "nil"))), HasSubstr("no times"));
  EXPECT_THAT(verdict(judged("rate-limit", requests({{0, "ok"}}))), HasSubstr("no more requests were granted"));
}

std::string saga(std::string_view id, std::string_view type = "ok") {
  return op(0, "saga", "{:id " + std::string(id) + " :from 0 :to 1 :amount 4}", type, "");
}
std::string ledger(std::string_view balances, std::string_view events) {
  return ok(9, "read", "nil", "{:balances " + std::string(balances) + " :events " + std::string(events) + "}");
}

TEST(Saga, CompleteSagasThatAddUp) {
  const std::string begun = ledger("{0 10 1 10}", "[]") + saga("7");
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{0 6 1 14}", "[[7 0 -4] [7 1 4]]"))), "valid");
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{0 6 1 10}", "[[7 0 -4]]"))), "incomplete-saga");
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{0 10 1 10}", "[]"))), "incomplete-saga");
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{0 6 1 18}", "[[7 0 -4] [7 1 4] [7 1 4]]"))), "incomplete-saga");
  EXPECT_THAT(verdict(judged("saga", ledger("{0 10 1 10 2 10}", "[]") + saga("7") +
                                         ledger("{0 6 1 14 2 15}", "[[7 0 -4] [7 1 4] [7 2 5]]"))),
              HasSubstr("incomplete-saga"))
      << "somebody else was paid as well";
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{0 6 1 15}", "[[7 0 -4] [7 1 4]]"))), "ledger-mismatch");
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{0 6 1 14}", "[[7 0 -4] [7 1 4] [8 0 0]]"))), "unexpected-event");
}

TEST(Saga, BalancesAreWholeNumbers) {
  EXPECT_THAT(verdict(judged("saga", ledger("{0 10 1 10}", "[]") + saga("7") + ledger("{0 6 1 14.5}", "[]"))),
              HasSubstr("whole numbers as balances"));
}

TEST(Saga, GivenUpSagasAreCompensated) {
  const std::string failed = saga("7", "fail");
  EXPECT_EQ(verdict(judged("saga", failed + ledger("{0 10}", "[]"))), "valid");
  EXPECT_EQ(verdict(judged("saga", failed + ledger("{0 10}", "[[7 0 -4] [7 0 4]]"))), "valid");
  EXPECT_EQ(verdict(judged("saga", failed + ledger("{0 6}", "[[7 0 -4]]"))), "uncompensated-saga");
}

TEST(Saga, AGivenUpSagaThatHappenedAllTheSameIsNotCompensated) {
  EXPECT_EQ(verdict(judged("saga", saga("7", "fail") + ledger("{0 6 1 14}", "[[7 0 -4] [7 1 4]]"))),
            "uncompensated-saga");
}

TEST(Saga, WhatIsUnderWayOrUnknownMayShowAnyPart) {
  const std::string half = ledger("{0 2 1 14}", "[[6 0 -4] [6 1 4] [7 0 -4]]");
  const std::string whole = ledger("{0 2 1 18}", "[[6 0 -4] [6 1 4] [7 0 -4] [7 1 4]]");
  const std::string undone = ledger("{0 6 1 14}", "[[6 0 -4] [6 1 4] [7 0 -4] [7 0 4]]");
  const std::string begun = saga("6") + saga("7", "info");
  EXPECT_EQ(verdict(judged("saga", begun + half + half + whole)), "valid");
  EXPECT_EQ(verdict(judged("saga", begun + half + half + undone)), "valid");
  EXPECT_EQ(verdict(judged("saga", begun + half + half)), "half-saga");
  EXPECT_THAT(verdict(judged("saga", begun + half)), HasSubstr("nobody looked again"));
  EXPECT_EQ(verdict(judged("saga", saga("7", "info") + half + saga("6"))), "unexpected-event");
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{0 6 1 18}", "[[6 0 -4] [6 1 4] [7 1 4]]"))), "impossible-step");
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{0 -2 1 14}", "[[6 0 -4] [6 1 4] [7 0 -4] [7 0 -4]]"))),
            "negative-balance impossible-step");
  EXPECT_THAT(verdict(judged("saga", event(9, "invoke", "read", "nil") + saga("7") +
                                         event(9, "ok", "read", "{:balances {0 6} :events [[7 0 -4]]}"))),
              HasSubstr("no saga ended before a read"));
  EXPECT_THAT(verdict(judged("saga", saga("7") + saga("7") + ledger("{}", "[]"))), HasSubstr("two sagas have the id"));
  EXPECT_THAT(verdict(judged("saga", saga("7") + ok(9, "read", "nil", "[]"))), HasSubstr("was expected"));
  EXPECT_THAT(verdict(judged("saga", saga("7"))), HasSubstr("no read succeeded"));
}

TEST(Saga, AccountsAndEventsStay) {
  const std::string begun = ledger("{0 10 1 10}", "[]") + saga("7");
  EXPECT_EQ(verdict(judged("saga", begun + ledger("{1 14}", "[[7 0 -4] [7 1 4]]"))), "ledger-mismatch missing-account");
  EXPECT_EQ(
      verdict(judged("saga", ledger("{0 10 1 10 2 5}", "[]") + saga("7") + ledger("{0 6 1 14}", "[[7 0 -4] [7 1 4]]"))),
      "missing-account");
  const std::string crashed = ledger("{0 10 1 10}", "[]") + saga("6", "info") + saga("7");
  EXPECT_EQ(verdict(judged("saga", crashed + ledger("{0 2 1 18}", "[[6 0 -4] [6 1 4] [7 0 -4] [7 1 4]]") +
                                       ledger("{0 6 1 14}", "[[7 0 -4] [7 1 4]]"))),
            "lost-event");
}

TEST(Saga, NegativeBalances) {
  const std::string history = ledger("{0 3 1 10}", "[]") + saga("7") + ledger("{0 -1 1 14}", "[[7 0 -4] [7 1 4]]");
  EXPECT_EQ(verdict(judged("saga", history)), "negative-balance");
  EXPECT_EQ(verdict(judged("saga", history, with("saga", {{"saga.negative-balances", "true"}}))), "valid");
}

}  // namespace
}  // namespace ordeal::work
