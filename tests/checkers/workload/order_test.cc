#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string row(std::string_view value, std::string_view stamp) {
  return "{:val " + std::string(value) + " :sts " + std::string(stamp) + "}";
}
std::string stamp(std::string_view value, std::string_view at, std::string_view type = "ok") {
  return op(0, "stamp", "nil", type, row(value, at));
}
std::string rows(const std::string& all) { return ok(1, "read", "nil", "[" + all + "]"); }

// Stamps of unknown outcome, which can have made any row.
const std::string kCrashed = op(7, "stamp", "nil", "info", "nil") + op(8, "stamp", "nil", "info", "nil");

TEST(Monotonic, ValuesAndTimestampsAgree) {
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + stamp("1", "20") + rows(row("0", "10") + row("1", "20")))),
            "valid");
  EXPECT_EQ(verdict(judged("monotonic", kCrashed + stamp("0", "20") + rows(row("1", "10") + row("0", "20")))),
            "value-reorder");
  EXPECT_EQ(verdict(judged("monotonic", kCrashed + stamp("0", "20") + rows(row("0", "20") + row("1", "10")))),
            "unsorted-rows");
  // Equal timestamps order nothing, but what lies on both sides of them is ordered.
  EXPECT_EQ(verdict(judged("monotonic", kCrashed + stamp("0", "10") + rows(row("1", "10") + row("0", "10")))), "valid");
  EXPECT_EQ(verdict(judged("monotonic",
                           kCrashed + stamp("5", "10") + rows(row("5", "10") + row("9", "20") + row("3", "20")))),
            "value-reorder");
}

TEST(Monotonic, StampsInRealTime) {
  EXPECT_EQ(verdict(judged("monotonic", stamp("1", "10") + stamp("0", "20") + rows(row("0", "20") + row("1", "10")))),
            "value-reorder unsorted-rows");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "20") + stamp("1", "10") + kCrashed)), "value-reorder");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + stamp("0", "20") + rows(row("0", "20")))),
            "duplicate-element lost-element");
}

// The row of a stamp of unknown outcome was taken for possible whatever its value, also one that must have been there
// before that stamp began: a false valid.
TEST(RegressMonotonic, TheRowOfACrashedStampIsNoOlderThanTheStamp) {
  const std::string all = rows(row("0", "10") + row("1", "20"));
  EXPECT_EQ(verdict(judged("monotonic", stamp("1", "20") + kCrashed + all)), "value-reorder");
  EXPECT_EQ(verdict(judged("monotonic", kCrashed + stamp("1", "20") + all)), "valid");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + kCrashed + all)), "valid");
}

TEST(Monotonic, TimestampsBeyond64Bits) {
  const std::string early = "99999999999999999999", late = "100000000000000000000";
  EXPECT_EQ(verdict(judged("monotonic", kCrashed + stamp("0", early) + rows(row("0", early) + row("1", late)))),
            "valid");
  EXPECT_EQ(verdict(judged("monotonic", kCrashed + stamp("0", late) + rows(row("1", early) + row("0", late)))),
            "value-reorder");
  EXPECT_EQ(verdict(judged("monotonic", kCrashed + stamp("0", "\"10\"") + rows(row("0", "\"10\"") + row("1", "11")))),
            "valid");
}

TEST(Monotonic, LostAndDuplicateRows) {
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + stamp("1", "20") + rows(row("1", "20")))), "lost-element");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + stamp("1", "20", "info") + rows(row("0", "10")))), "valid");
  EXPECT_EQ(verdict(judged("monotonic", kCrashed + stamp("0", "10") + rows(row("0", "10") + row("0", "20")))),
            "duplicate-element");
  // What one read saw, a later one must see.
  EXPECT_EQ(verdict(judged("monotonic",
                           kCrashed + stamp("0", "10") + rows(row("0", "10") + row("1", "20")) + rows(row("0", "10")))),
            "lost-element");
  // Jepsen's client returns the row before its own, which is there as well.
  EXPECT_EQ(verdict(judged("monotonic", ok(0, "add", "7", row("-1", "0")) + rows(row("-1", "0") + row("0", "10")))),
            "valid");
}

TEST(Monotonic, RowsFromNowhere) {
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + rows(row("0", "10") + row("1", "20")))),
            "unexpected-element");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + kCrashed + rows(row("0", "10") + row("1", "20")))), "valid");
  EXPECT_EQ(verdict(judged("monotonic", rows(row("0", "10")) + stamp("0", "10"))), "unexpected-element");
}

TEST(Monotonic, UnknownWhenNothingWasSeenOrUnderstood) {
  EXPECT_THAT(verdict(judged("monotonic", stamp("0", "10"))), HasSubstr("no read succeeded"));
  EXPECT_THAT(verdict(judged("monotonic", rows(""))), HasSubstr("no add succeeded"));
  EXPECT_THAT(verdict(judged("monotonic", stamp("0", "10") + rows("7"))), HasSubstr("a list of rows"));
  EXPECT_THAT(verdict(judged("monotonic", stamp("0", "1.5") + rows(""))), HasSubstr("a row"));
}

std::string chain_read(std::string_view chain, int process = 1) {
  return ok(process, "read", "5", "[5 " + std::string(chain) + "]");
}

TEST(Sequential, NoWriteIsSkipped) {
  const auto judged_reads = [](const std::string& reads) {
    return judged("sequential-writes", event(0, "invoke", "write", "5") + reads);
  };
  EXPECT_EQ(verdict(judged_reads(chain_read("[nil nil nil]") + chain_read("[nil \"5_1\" \"5_0\"]") +
                                 chain_read("[\"5_2\" \"5_1\" \"5_0\"]"))),
            "valid");
  EXPECT_EQ(verdict(judged_reads(chain_read("[nil \"5_1\" nil]"))), "skipped-write");
  EXPECT_EQ(verdict(judged_reads(chain_read("[\"5_2\" nil \"5_0\"]"))), "skipped-write");
  EXPECT_EQ(verdict(judged_reads(op(1, "read", "5", "info", "[5 [\"5_1\" nil]]") + chain_read("[nil \"5_0\"]", 2))),
            "valid");
  EXPECT_THAT(verdict(judged_reads(chain_read("[nil nil]"))), HasSubstr("no read found anything"));
  EXPECT_THAT(verdict(judged_reads(ok(1, "read", "5", "7"))), HasSubstr("was expected"));
  // A reader that takes tuples apart leaves the chain alone.
  EXPECT_EQ(verdict(judged_reads("{:process 1 :type :invoke :f :read-chain :key 5}"
                                 "{:process 1 :type :ok :f :read-chain :key 5 :value [\"5_1\" nil]}")),
            "skipped-write");
}

TEST(Sequential, ChainsFromNowhere) {
  const std::string whole = chain_read("[\"5_1\" \"5_0\"]");
  EXPECT_EQ(verdict(judged("sequential-writes", whole)), "unexpected-element");
  EXPECT_EQ(verdict(judged("sequential-writes", op(0, "write", "5", "fail", "5") + whole)), "unexpected-element");
  EXPECT_EQ(verdict(judged("sequential-writes", whole + ok(0, "write", "5"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("sequential-writes", op(0, "write", "5", "info", "5") + whole)), "valid");
  EXPECT_EQ(verdict(judged("sequential-writes", ok(0, "write", "5") + whole + chain_read("[\"5_1\" \"other\"]"))),
            "unexpected-element");
}

TEST(Sequential, TheOrderOfEachProcess) {
  const auto see = [](int process, std::string_view key, std::string_view chain) {
    return ok(process, "read", key, "[" + std::string(key) + " " + std::string(chain) + "]");
  };
  const std::string none = "[nil nil]", five = "[\"5_1\" \"5_0\"]", six = "[\"6_1\" \"6_0\"]";
  const auto write = [](int process, std::string_view key, std::string_view type = "ok") {
    return op(process, "write", key, type, key);
  };
  // Another process may be late, the writer itself not.
  EXPECT_EQ(verdict(judged("sequential-writes", write(0, "5") + see(1, "5", none) + see(1, "5", five))), "valid");
  EXPECT_EQ(verdict(judged("sequential-writes", write(0, "5") + see(0, "5", none) + see(1, "5", five))),
            "stale-own-write");
  // What it has seen it goes on to see.
  EXPECT_EQ(verdict(judged("sequential-writes", write(0, "5") + see(1, "5", five) + see(1, "5", none))),
            "nonsequential");
  EXPECT_EQ(verdict(judged("sequential-writes", write(0, "5") + see(1, "5", five) + see(2, "5", none))), "valid");
  // Two writes of one process, seen in the other order.
  EXPECT_EQ(verdict(judged("sequential-writes", write(0, "5") + write(0, "6") + see(1, "6", six) + see(1, "5", none))),
            "nonsequential");
  EXPECT_EQ(verdict(judged("sequential-writes", write(0, "5") + write(2, "6") + see(1, "6", six) + see(1, "5", none))),
            "valid");
  // Two readers that disagree on the order of two writers.
  EXPECT_EQ(verdict(judged("sequential-writes", write(0, "5") + write(2, "6") + see(1, "6", six) + see(1, "5", none) +
                                                    see(3, "5", five) + see(3, "6", none))),
            "nonsequential");
  // What nobody saw of a crashed write need not have happened.
  EXPECT_EQ(verdict(judged("sequential-writes",
                           write(0, "5", "info") + see(1, "5", "[nil \"5_0\"]") + see(1, "5", "[nil \"5_0\"]"))),
            "valid");
}

std::string add(std::string_view v, std::string_view type = "ok", int process = 0) {
  return op(process, "add", v, type, v);
}
std::string final_read(int process, std::string_view v) { return ok(process, "read", "nil", v); }

TEST(Convergence, SetsAgreeInTheEnd) {
  EXPECT_EQ(verdict(judged("convergence", add("1") + add("2") + final_read(1, "[1 2]") + final_read(2, "#{2 1}"))),
            "valid");
  const auto apart = judged("convergence", add("1") + add("2") + final_read(1, "[1 2]") + final_read(2, "[1]"));
  EXPECT_EQ(verdict(apart), "lost-element divergence");
  EXPECT_THAT(apart.anomalies[1].operations, ElementsAre(4, 6));
  EXPECT_EQ(verdict(judged("convergence", add("1") + final_read(1, "[1 7]") + final_read(2, "[1 7]"))),
            "unexpected-element");
  EXPECT_EQ(
      verdict(judged("convergence", add("1") + add("2", "fail") + final_read(1, "[1 2]") + final_read(2, "[1 2]"))),
      "unexpected-element");
}

TEST(Convergence, OnlyTheLastReadsAfterTheLastUpdateCount) {
  EXPECT_EQ(verdict(judged("convergence", add("1") + final_read(1, "[]") + add("2") + final_read(1, "[2]") +
                                              final_read(1, "[1 2]") + final_read(2, "[1 2]"))),
            "valid");
  EXPECT_THAT(verdict(judged("convergence", final_read(1, "[]") + final_read(2, "[]") + add("1"))),
              HasSubstr("fewer than two processes"));
  EXPECT_THAT(verdict(judged("convergence", add("1") + final_read(1, "[1]") + final_read(1, "[1]"))),
              HasSubstr("fewer than two processes"));
}

TEST(Convergence, CrashedUpdatesMayStillSpread) {
  EXPECT_EQ(
      verdict(judged("convergence", add("1") + add("2", "info", 5) + final_read(1, "[1]") + final_read(2, "[1 2]"))),
      "valid");
  EXPECT_EQ(verdict(judged("convergence", add("1") + add("2", "info", 5) + final_read(1, "1") + final_read(2, "3"))),
            "valid");
  EXPECT_EQ(verdict(judged("convergence", add("1") + add("2", "info", 5) + final_read(1, "1") + final_read(2, "4"))),
            "wrong-sum");
}

TEST(Convergence, ReadsBetweenShowWhatWasAsked) {
  const std::string finals = final_read(1, "[1 2]") + final_read(2, "[1 2]");
  EXPECT_EQ(verdict(judged("convergence", add("1") + final_read(1, "[1 1]") + add("2") + finals)), "duplicate-element");
  EXPECT_EQ(verdict(judged("convergence", add("1") + final_read(1, "[9]") + add("2") + finals)), "unexpected-element");
  EXPECT_EQ(verdict(judged("convergence", add("1") + final_read(1, "[]") + add("2") + finals)), "valid");  // late
  const std::string sums = final_read(1, "7") + final_read(2, "7");
  for (const char* late : {"0", "5", "2", "7"})
    EXPECT_EQ(verdict(judged("convergence", add("5") + add("2") + final_read(3, late) + add("0") + sums)), "valid")
        << late;
  for (const char* wild : {"9999", "3", "-1"}) {
    EXPECT_EQ(verdict(judged("convergence", add("5") + add("2") + final_read(3, wild) + add("0") + sums)),
              "impossible-sum")
        << wild;
  }
}

TEST(Convergence, UnknownWhenNothingWasEverShown) {
  const std::string crashed = add("1", "info", 5) + add("2", "info", 6);
  EXPECT_THAT(verdict(judged("convergence", crashed + final_read(1, "[]") + final_read(2, "[]"))),
              HasSubstr("no read showed an update"));
  EXPECT_EQ(verdict(judged("convergence", crashed + final_read(1, "[1]") + final_read(2, "[1]"))), "valid");
  // Seen by one that was over, it is no longer on its way.
  EXPECT_EQ(verdict(judged("convergence", crashed + final_read(1, "[1]") + final_read(2, "[]"))), "divergence");
}

// What adds of unknown outcome can make up was a range, so that a sum between its ends passed: a false valid.
TEST(RegressConvergence, AFinalSumIsOneThatTheAddsMakeUp) {
  const std::string crashed = add("5") + add("2", "info", 5) + add("-4", "info", 6);
  for (const int sum : {1, 2, 3, 4, 5, 6, 7}) {
    const bool possible = sum == 5 || sum == 7 || sum == 1 || sum == 3;
    const std::string seen = std::to_string(sum);
    EXPECT_EQ(verdict(judged("convergence", crashed + final_read(1, seen) + final_read(2, seen))),
              possible ? "valid" : "wrong-sum wrong-sum")
        << sum;
  }
}

TEST(Convergence, Counters) {
  EXPECT_EQ(verdict(judged("convergence", add("5") + add("-2") + final_read(1, "3") + final_read(2, "3"))), "valid");
  EXPECT_EQ(verdict(judged("convergence", add("5") + add("-2") + final_read(1, "3") + final_read(2, "5"))),
            "wrong-sum divergence");
  EXPECT_THAT(verdict(judged("convergence", add("5") + final_read(1, "5") + final_read(2, "[5]"))),
              HasSubstr("everywhere"));
  EXPECT_THAT(verdict(judged("convergence", add(":x") + final_read(1, "5") + final_read(2, "5"))),
              HasSubstr("a whole number"));
}

}  // namespace
}  // namespace ordeal::work
