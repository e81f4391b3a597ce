#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string write(int process, std::string_view key, std::string_view type = "ok") {
  const std::string txn = "[[:w " + std::string(key) + " 1]]";
  return op(process, "txn", txn, type, txn);
}
std::string read(std::string_view x, std::string_view y, std::string_view type = "ok") {
  return op(9, "txn", "[[:r 0 nil] [:r 1 nil]]", type, "[[:r 0 " + std::string(x) + "] [:r 1 " + std::string(y) + "]]");
}

TEST(LongFork, OneOrder) {
  EXPECT_EQ(verdict(judged("long-fork",
                           write(0, "0") + read("nil", "nil") + read("1", "nil") + write(1, "1") + read("1", "1"))),
            "valid");
}

TEST(LongFork, TwoBranches) {
  const auto result =
      judged("long-fork", write(0, "0") + write(1, "1") + read("1", "nil") + read("nil", "1") + read("1", "1"));
  EXPECT_EQ(verdict(result), "long-fork");
  EXPECT_THAT(result.anomalies[0].operations, ElementsAre(0, 2, 4, 6));
}

TEST(LongFork, ReadsMayListTheirKeysInAnyOrder) {
  const std::string reversed = ok(9, "txn", "[[:r 1 nil] [:r 0 nil]]", "[[:r 1 1] [:r 0 nil]]");
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0") + write(1, "1") + read("1", "nil") + reversed)), "long-fork");
}

TEST(LongFork, OnlyOkReadsCount) {
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0") + write(1, "1") + read("1", "nil") + read("nil", "1", "fail") +
                                            read("nil", "1", "info") + read("1", "1"))),
            "valid");
}

TEST(LongFork, CrashedWritesMayBeSeenAndFailedOnesNot) {
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0", "info") + write(1, "1") + read("nil", "1") + read("1", "1"))),
            "valid");
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0", "fail") + write(1, "1") + read("nil", "1") + read("1", "1"))),
            "unexpected-element");
  // A failed write and another one of the same key.
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0", "fail") + write(1, "0") + read("nil", "nil") + read("1", "nil"))),
            "valid");
}

TEST(LongFork, ValuesThatNobodyWrote) {
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0") + read("1", "1"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0") + read("7", "nil"))), "unexpected-element");
}

TEST(LongFork, AcrossGroups) {
  const std::string three = ok(8, "txn", "[[:r 0 nil] [:r 1 nil] [:r 2 nil]]", "[[:r 0 nil] [:r 1 1] [:r 2 nil]]");
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0") + write(1, "1") + read("1", "nil") + three + read("1", "1"))),
            "long-fork");
  // Three readers of which no two contradict each other.
  const auto pair = [](std::string_view a, std::string_view b) {
    const std::string x(a), y(b);
    return ok(8, "txn", "[[:r " + x + " nil] [:r " + y + " nil]]", "[[:r " + x + " 1] [:r " + y + " nil]]");
  };
  const std::string writes = write(0, "0") + write(1, "1") + write(2, "2");
  EXPECT_EQ(verdict(judged("long-fork", writes + pair("0", "1") + pair("1", "2") + pair("2", "0"))), "long-fork");
  EXPECT_EQ(verdict(judged("long-fork", writes + pair("0", "1") + pair("1", "2") + pair("0", "2"))), "valid");
}

TEST(LongFork, LateReadsAreAMatterOfTheLevel) {
  const std::string late = write(0, "0") + read("nil", "nil") + read("1", "nil");
  EXPECT_EQ(verdict(judged("long-fork", late)), "valid");
  EXPECT_EQ(verdict(judged("long-fork", late, at("strict-serializable"))), "stale-read");
  EXPECT_EQ(
      verdict(judged("long-fork", read("nil", "nil") + write(0, "0") + read("1", "nil"), at("strict-serializable"))),
      "valid");
  EXPECT_EQ(verdict(judged("long-fork", write(0, "0", "info") + read("1", "nil") + read("nil", "nil"),
                           at("strict-serializable"))),
            "stale-read");
  EXPECT_THAT(verdict(judged("long-fork", write(0, "0") + read("nil", "nil") + read("nil", "nil"))),
              HasSubstr("no read saw a write"));
}

TEST(LongFork, UnknownWhenNothingWasComparedOrUnderstood) {
  EXPECT_THAT(verdict(judged("long-fork", write(0, "0") + read("1", "nil"))), HasSubstr("nothing was compared"));
  EXPECT_THAT(verdict(judged("long-fork", write(0, "0") + write(1, "0") + read("1", "nil"))),
              HasSubstr("written twice"));
  EXPECT_THAT(verdict(judged("long-fork", ok(0, "txn", "[[:w 0 1] [:r 1 nil]]"))), HasSubstr("was expected"));
  EXPECT_THAT(verdict(judged("long-fork", ok(0, "txn", "[[:append 0 1]]"))), HasSubstr("was expected"));
}

TEST(G2, OneInsertAKey) {
  const std::string first = ok(0, "insert", "[7 [1 nil]]");
  EXPECT_EQ(verdict(judged("g2", first + op(1, "insert", "[7 [nil 2]]", "fail", ""))), "valid");
  EXPECT_EQ(verdict(judged("g2", first + op(1, "insert", "[7 [nil 2]]", "info", ""))), "valid");
  EXPECT_EQ(verdict(judged("g2", first + ok(1, "insert", "[8 [nil 2]]") + op(1, "insert", "[7 [nil 3]]", "fail", ""))),
            "valid");
  const auto both = judged("g2", first + ok(1, "insert", "[7 [nil 2]]"));
  EXPECT_EQ(verdict(both), "G2-predicate");
  EXPECT_THAT(both.anomalies[0].operations, ElementsAre(0, 2));
  EXPECT_EQ(*both.anomalies[0].key, Value(7));
}

TEST(G2, TwoOfAKeyAreTooManyHoweverTheyCame) {
  const std::string a = "[7 [1 nil]]", b = "[7 [nil 2]]", c = "[7 [nil 3]]", d = "[8 [4 nil]]";
  // At the same time, both into one table, by one process, with a failed or crashed one before.
  EXPECT_EQ(verdict(judged("g2", event(0, "invoke", "insert", a) + event(1, "invoke", "insert", b) +
                                     event(1, "ok", "insert", b) + event(0, "ok", "insert", a))),
            "G2-predicate");
  EXPECT_EQ(verdict(judged("g2", ok(0, "insert", b) + ok(1, "insert", c))), "G2-predicate");
  EXPECT_EQ(verdict(judged("g2", ok(0, "insert", a) + ok(0, "insert", b))), "G2-predicate");
  EXPECT_EQ(verdict(judged("g2", op(0, "insert", a, "fail", a) + ok(1, "insert", b) + ok(2, "insert", c))),
            "G2-predicate");
  EXPECT_EQ(verdict(judged("g2", op(0, "insert", a, "info", a) + ok(1, "insert", b) + ok(2, "insert", c))),
            "G2-predicate");
  // One key among others.
  const auto one = judged("g2", ok(0, "insert", d) + ok(1, "insert", a) + ok(2, "insert", b) + ok(3, "insert", c));
  EXPECT_EQ(verdict(one), "G2-predicate");
  EXPECT_EQ(*one.anomalies[0].key, Value(7));
  EXPECT_THAT(one.anomalies[0].explanation, HasSubstr("3 inserts"));
}

TEST(G2, TakesTuplesApartAsTheReaderDoes) {
  const std::string history = ok(0, "insert", "[7 [1 nil]]") + ok(1, "insert", "[7 [nil 2]]");
  EXPECT_EQ(verdict(judged("g2", history_of(history, true))), "G2-predicate");
}

TEST(G2, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("g2", ok(0, "insert", "[7 [1 nil]]"))), HasSubstr("inserted to twice"));
  EXPECT_THAT(verdict(judged("g2", op(0, "insert", "[7 [1 nil]]", "fail", ""))), HasSubstr("no insert succeeded"));
  EXPECT_THAT(verdict(judged("g2", ok(0, "insert", "7"))), HasSubstr("a key and [a b]"));
}

}  // namespace
}  // namespace ordeal::work
