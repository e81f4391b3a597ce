// What clients saw, what broke the workload's promise, and what was `valid` all the same, by kind; each with its story.
#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

std::string done(int process, std::string_view f, std::string_view value) { return ok(process, f, value); }
std::string seen(int process, std::string_view value) { return ok(process, "read", "nil", value); }

// Stale reads and duplicates went by: only the order of pairs of writes was looked at.
TEST(RegressCausalReverse, StaleReadsAndDuplicatesAreFound) {
  const std::string written = done(0, "write", "1") + done(1, "write", "2");
  EXPECT_EQ(verdict(judged("causal-reverse", written + seen(9, "[1]") + seen(9, "[1 2]"))), "stale-read");
  EXPECT_EQ(verdict(judged("causal-reverse", written + seen(9, "[1 2 2]"))), "duplicate-element");
}

// A process missed its own acknowledged chain, and chains came from nowhere: only gaps inside a chain were looked at.
TEST(RegressSequential, OwnWritesMissedAndChainsFromNowhereAreFound) {
  const std::string found = ok(1, "read-chain", "2", "[2 [\"2_1\" \"2_0\"]]");
  EXPECT_EQ(
      verdict(judged("sequential-writes", done(0, "write-chain", "1") + ok(0, "read-chain", "1", "[1 [nil nil]]") +
                                              done(1, "write-chain", "2") + found)),
      "stale-own-write");
  EXPECT_EQ(verdict(judged("sequential-writes", found)), "unexpected-element");
}

// Two concurrent reads, each with an element that the other lacks: elements were judged one by one.
TEST(RegressSet, IncomparableReadsAreFound) {
  const std::string overlapping = event(0, "invoke", "add", "1") + event(1, "invoke", "add", "2") +
                                  event(2, "invoke", "read", "") + event(3, "invoke", "read", "") +
                                  event(2, "ok", "read", "[1]") + event(3, "ok", "read", "[2]") +
                                  event(0, "ok", "add", "1") + event(1, "ok", "add", "2");
  EXPECT_EQ(verdict(judged("set-full", overlapping + seen(4, "[1 2]"))), "incomparable-reads");
}

// Two stamps were acknowledged with one value and one row was gone; and an order was violated across a tie.
TEST(RegressMonotonic, LostRowsAndTiesAreFound) {
  const auto stamp = [](int p, std::string_view row) { return ok(p, "stamp", "nil", row); };
  EXPECT_NE(verdict(judged("monotonic", stamp(0, "{\"val\" 0 \"sts\" 10}") + stamp(1, "{\"val\" 0 \"sts\" 20}") +
                                            seen(3, "[{\"val\" 0 \"sts\" 20}]"))),
            "valid");
  EXPECT_NE(verdict(judged("monotonic", stamp(0, "{\"val\" 9 \"sts\" 20}") + stamp(1, "{\"val\" 3 \"sts\" 20}") +
                                            seen(3, "[{\"val\" 9 \"sts\" 20} {\"val\" 3 \"sts\" 20}]"))),
            "valid");
}

std::string transfer(int process, std::string_view value, std::string_view type = "ok") {
  return op(process, "transfer", value, type, value);
}

// Acknowledged transfers had no effect, and money moved that nobody moved: only totals were looked at.
TEST(RegressBank, TransfersWithoutEffectAndMovesWithoutTransferAreFound) {
  const std::string begun = seen(1, "{0 10, 1 10, 2 10}") + transfer(0, "{:from 0 :to 1 :amount 3}");
  EXPECT_EQ(verdict(judged("bank", begun + seen(1, "{0 10, 1 10, 2 10}"))), "unexplained-balances");
  EXPECT_EQ(verdict(judged("bank", begun + seen(1, "{0 7, 1 8, 2 15}"))), "unexplained-balances");
}

// Two choices of crashed transfers explain the first read, and either forbids one of the next two: a choice that was
// ambiguous was not followed up (36 of 4,000 small histories were missed).
TEST(RegressBank, AmbiguousChoicesAreFollowedUp) {
  const std::string begun = seen(1, "{0 10, 1 10, 2 10}") + transfer(8, "{:from 0 :to 1 :amount 0}") +
                            transfer(2, "{:from 0 :to 1 :amount 1}", "info") +
                            transfer(3, "{:from 0 :to 1 :amount 1}", "info") +
                            transfer(4, "{:from 1 :to 2 :amount 1}", "info");
  // One of the two; then neither of them any more.
  EXPECT_EQ(verdict(judged("bank", begun + seen(1, "{0 9, 1 11, 2 10}") + seen(1, "{0 8, 1 12, 2 10}"))), "valid");
  const auto back = judged("bank", begun + seen(1, "{0 9, 1 11, 2 10}") + seen(1, "{0 10, 1 9, 2 11}"));
  EXPECT_EQ(verdict(back), "unexplained-balances");
}

// A crashed saga stayed half done for good, and an account vanished from the balances.
TEST(RegressSaga, HalfDoneForGoodAndVanishedAccountsAreFound) {
  const auto saga = [](std::string_view type) { return op(0, "saga", "{:id 7 :from 0 :to 1 :amount 4}", type, ""); };
  const auto ledger = [](std::string_view balances, std::string_view events) {
    return seen(9, "{\"balances\" " + std::string(balances) + " \"events\" " + std::string(events) + "}");
  };
  const std::string half = ledger("{0 6, 1 10}", "[[7 0 -4]]");
  EXPECT_EQ(
      verdict(judged("saga", op(1, "saga", "{:id 6 :from 0 :to 1 :amount 0}", "ok", "") + saga("info") + half + half)),
      "half-saga");
  EXPECT_EQ(verdict(judged(
                "saga", ledger("{0 10, 1 10, 2 5}", "[]") + saga("ok") + ledger("{0 6, 1 14}", "[[7 0 -4] [7 1 4]]"))),
            "missing-account");
}

// 1 went in before 2 and came out after it, with an EMPTY in between: a queue was judged as a bag.
TEST(RegressQueue, OrderAndFalseEmptiesAreFound) {
  const std::string in = done(0, "enqueue", "1") + done(0, "enqueue", "2");
  EXPECT_NE(verdict(judged("queue", in + ok(1, "dequeue", "nil", "2") + ok(1, "dequeue", "nil", "1"))), "valid");
  EXPECT_NE(verdict(judged("queue", in + ok(1, "dequeue", "nil", "nil") + ok(1, "dequeue", "nil", "1") +
                                        ok(1, "dequeue", "nil", "2"))),
            "valid");
}

// 9999 was read of a counter to which 2 was added: only the reads at the end were looked at.
TEST(RegressConvergence, WildSumsInBetweenAreFound) {
  const std::string end = ok(1, "read", "nil", "2") + ok(2, "read", "nil", "2");
  EXPECT_EQ(
      verdict(judged("convergence", done(0, "add", "2") + ok(1, "read", "nil", "9999") + done(0, "add", "0") + end)),
      "impossible-sum");
}

// Three processes held the lock at the end: a hold without a release was taken for none.
TEST(RegressLock, HoldersAtTheEndAreFound) {
  std::string three;
  for (int p = 0; p < 3; ++p) three += ok(p, "acquire", "nil", "nil");
  EXPECT_EQ(verdict(judged("lock", three)), "two-holders");
}

// The check crashed on values that nobody wrote, in a file of several.
TEST(RegressLongFork, ValuesThatNobodyWroteAreAnAnomaly) {
  const auto txn = [](int p, std::string_view asked, std::string_view shown) { return ok(p, "txn", asked, shown); };
  EXPECT_EQ(verdict(judged("long-fork", txn(0, "[[:w 0 1]]", "[[:w 0 1]]") +
                                            txn(9, "[[:r 0 nil] [:r 1 nil]]", "[[:r 0 1] [:r 1 8]]"))),
            "unexpected-element");
  EXPECT_EQ(verdict(judged("long-fork", txn(9, "[[:r 0 nil] [:r 1 nil]]", "[[:r 0 3] [:r 1 8]]"))),
            "unexpected-element unexpected-element");
}

// A remove of unknown outcome that a client read as nil, although its replica had its own put, was not held to have
// happened: nil was taken for nothing yet.
TEST(RegressLwwMap, NilShowsARemoveToAClientThatHadPut) {
  const std::string begun = ok(0, "put", "[5 1]") + op(2, "remove", "7", "info", "nil");
  const std::string end = ok(1, "put", "[4 2]") + seen(3, "1") + seen(4, "1");
  EXPECT_EQ(verdict(judged("lww-map", begun + seen(0, "nil") + end)), "resurrected-element resurrected-element");
  EXPECT_EQ(verdict(judged("lww-map", begun + seen(1, "nil") + end)), "valid");  // another replica had nothing yet
}

// After a power loss every read failed, and the set, of which nobody saw any more, was valid.
TEST(RegressSet, WhatNobodyReadsAfterTheLastFaultIsUnknown) {
  const std::string before = ok(0, "add", "1", "1") + ok(1, "read", "nil", "[1]");
  const auto step = [](std::string_view name) {
    return "{:process :nemesis :type :info :f :power-loss :value {:id 1 :step \"" + std::string(name) + "\"}}";
  };
  const std::string fault = step("inject") + step("injected") + step("healed");
  const std::string after = op(1, "read", "nil", "fail", "nil");
  for (const char* checker : {"set", "set-full"}) {
    const auto result = judged(checker, before + fault + after);
    EXPECT_EQ(result.verdict, Verdict::unknown) << checker;
    EXPECT_THAT(result.reason, testing::HasSubstr("no read that began after the last fault (power-loss"));
    EXPECT_EQ(verdict(judged(checker, before + fault + ok(1, "read", "nil", "[1]"))), "valid") << checker;
    EXPECT_EQ(verdict(judged(checker, before + after)), "valid") << checker;
    EXPECT_EQ(verdict(judged(checker, before + fault + ok(1, "read", "nil", "[]"))), "lost-element") << checker;
  }
}

}  // namespace
}  // namespace ordeal::work
