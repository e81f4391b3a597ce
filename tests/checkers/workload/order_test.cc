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

TEST(Monotonic, ValuesAndTimestampsAgree) {
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + stamp("1", "20") + rows(row("0", "10") + row("1", "20")))),
            "valid");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "20") + stamp("1", "10") + rows(row("1", "10") + row("0", "20")))),
            "value-reorder");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + rows(row("0", "20") + row("1", "10")))), "unsorted-rows");
  // Equal timestamps order nothing.
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + rows(row("1", "10") + row("0", "10")))), "valid");
}

TEST(Monotonic, TimestampsBeyond64Bits) {
  const std::string early = "99999999999999999999", late = "100000000000000000000";
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", early) + rows(row("0", early) + row("1", late)))), "valid");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", late) + rows(row("1", early) + row("0", late)))), "value-reorder");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "\"10\"") + rows(row("0", "\"9\"") + row("1", "\"10\"")))), "valid");
}

TEST(Monotonic, LostAndDuplicateRows) {
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + stamp("1", "20") + rows(row("1", "20")))), "lost-element");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + stamp("1", "20", "info") + rows(row("0", "10")))), "valid");
  EXPECT_EQ(verdict(judged("monotonic", rows("") + stamp("0", "10"))), "valid");
  EXPECT_EQ(verdict(judged("monotonic", stamp("0", "10") + rows(row("0", "10") + row("0", "20")))),
            "duplicate-element");
  // Jepsen's client returns the row before its own, which is there as well.
  EXPECT_EQ(verdict(judged("monotonic", ok(0, "add", "7", row("-1", "0")) + rows(row("-1", "0") + row("0", "10")))),
            "valid");
}

TEST(Monotonic, UnknownWhenNothingWasSeenOrUnderstood) {
  EXPECT_THAT(verdict(judged("monotonic", stamp("0", "10"))), HasSubstr("no read succeeded"));
  EXPECT_THAT(verdict(judged("monotonic", rows(""))), HasSubstr("no add succeeded"));
  EXPECT_THAT(verdict(judged("monotonic", stamp("0", "10") + rows("7"))), HasSubstr("a list of rows"));
  EXPECT_THAT(verdict(judged("monotonic", stamp("0", "1.5") + rows(""))), HasSubstr("a row"));
}

TEST(Sequential, NoWriteIsSkipped) {
  const auto see = [](std::string_view chain) { return ok(1, "read", "5", "[5 " + std::string(chain) + "]"); };
  EXPECT_EQ(verdict(judged("sequential-writes",
                           see("[nil nil nil]") + see("[nil \"5_1\" \"5_0\"]") + see("[\"5_2\" \"5_1\" \"5_0\"]"))),
            "valid");
  EXPECT_EQ(verdict(judged("sequential-writes", see("[nil \"5_1\" nil]"))), "skipped-write");
  EXPECT_EQ(verdict(judged("sequential-writes", see("[\"5_2\" nil \"5_0\"]"))), "skipped-write");
  EXPECT_EQ(
      verdict(judged("sequential-writes", op(1, "read", "5", "info", "[5 [\"5_1\" nil]]") + see("[nil \"5_0\"]"))),
      "valid");
  EXPECT_THAT(verdict(judged("sequential-writes", see("[nil nil]"))), HasSubstr("no read found anything"));
  EXPECT_THAT(verdict(judged("sequential-writes", ok(1, "read", "5", "7"))), HasSubstr("was expected"));
  // A reader that takes tuples apart leaves the chain alone.
  EXPECT_EQ(verdict(judged("sequential-writes",
                           "{:process 0 :type :invoke :f :read-chain :key 5}"
                           "{:process 0 :type :ok :f :read-chain :key 5 :value [\"5_1\" nil]}")),
            "skipped-write");
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
