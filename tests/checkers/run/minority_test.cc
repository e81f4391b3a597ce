#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "checkers/catalogue.h"
#include "checkers/history/reader.h"

namespace ordeal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string event(std::int64_t ms, int process, std::string_view type, std::string_view f,
                  std::string_view value = "1") {
  return R"({"time":)" + std::to_string(ms) + R"(000000,"process":)" + std::to_string(process) + R"(,"type":")" +
         std::string(type) + R"(","f":")" + std::string(f) + R"(","value":)" + std::string(value) + "}\n";
}
// An operation of a millisecond.
std::string operation(std::int64_t ms, int process, std::string_view type = "ok", std::string_view f = "add",
                      std::string_view value = "1") {
  return event(ms, process, "invoke", f, value) + event(ms + 1, process, type, f, value);
}
std::string step(std::int64_t ms, std::string_view step, std::string_view more = "") {
  return R"({"time":)" + std::to_string(ms) +
         R"(000000,"process":"nemesis","type":"info","f":"partition","value":{"id":1,"step":")" + std::string(step) +
         "\"" + std::string(more) + "}}\n";
}
std::string cut(std::string_view drops, std::string_view more = "") {
  return step(10, "inject", R"(,"nodes":["n1"],"fault":{"drops":)" + std::string(drops) + std::string(more) + "}") +
         step(11, "injected") + step(20, "confirmed");
}
// n1 is alone; n2 and n3 are together.
constexpr std::string_view kAlone = R"({"n1":["n2","n3"],"n2":["n1"],"n3":["n1"]})";

// Clients of five workers, on n1, n2, n3, n1, n2; a bound of 5 ms.
CheckResult judged(const std::string& lines, double bound_s = 0.005) {
  const auto read = read_history(lines, "test");
  EXPECT_TRUE(read) << read.error().message;
  CheckOptions options;
  options.extra.set("minority.bound_s", bound_s);
  options.extra.set("minority.worker_nodes", Value::list({"n1", "n2", "n3", "n1", "n2"}));
  return (*find_checker("minority"))->check(read->history, options);
}
std::string verdict(const CheckResult& result) {
  if (result.verdict == Verdict::unknown) return "unknown: " + result.reason;
  std::string out(name(result.verdict));
  for (const Anomaly& one : result.anomalies) out += " " + one.type;
  return out;
}

TEST(Minority, MustRefuseChanges) {
  const std::string end = step(60, "heal") + step(61, "healed");
  EXPECT_EQ(verdict(judged(cut(kAlone) + operation(30, 0, "info") + operation(40, 1) + end)), "valid");
  const auto found = judged(cut(kAlone) + operation(30, 0) + end);
  EXPECT_EQ(verdict(found), "invalid minority-write");
  EXPECT_THAT(found.anomalies[0].explanation,
              HasSubstr("by n1, which fault 1 (partition) had cut off from a majority for 10 ms"));
  // Whatever process its worker plays, and the fourth worker, too.
  EXPECT_EQ(verdict(judged(cut(kAlone) + operation(30, 5) + operation(35, 8) + end)),
            "invalid minority-write minority-write");
  EXPECT_EQ(verdict(judged(cut(kAlone) + operation(30, 0, "ok", "txn", R"([["r",1,null],["append",1,2]])") + end)),
            "invalid minority-write");
}

TEST(Minority, OnlyWhatCertainlyWasCutOff) {
  const std::string end = operation(50, 0, "fail") + step(60, "heal") + step(61, "healed");
  for (const std::string& allowed : {
           operation(30, 1),                                    // of the majority
           operation(24, 0),                                    // within the bound
           operation(15, 0),                                    // before the cut was seen
           operation(30, 0, "ok", "read", "null"),              // no change
           operation(30, 0, "ok", "txn", R"([["r",1,null]])"),  // neither
       })
    EXPECT_EQ(verdict(judged(cut(kAlone) + allowed + end)), "valid") << allowed;
  // Acknowledged after the healing began.
  EXPECT_EQ(verdict(judged(cut(kAlone) + event(59, 3, "invoke", "add") + step(60, "heal") + event(62, 3, "ok", "add"))),
            "valid");
  const std::string none = "unknown: no partition was confirmed that cut a node off from a majority";
  const std::string both = operation(30, 0) + end;
  EXPECT_EQ(verdict(judged(cut(kAlone, R"(,"ports":"2379")") + both)), none);
  EXPECT_EQ(verdict(judged(cut(kAlone, R"(,"flap_s":0.5)") + both)), none);
  EXPECT_EQ(verdict(judged(cut(R"({"n1":["n2","n3"]})") + both)), none);         // one way
  EXPECT_EQ(verdict(judged(cut(R"({"n1":["n2"],"n2":["n1"]})") + both)), none);  // by way of n3
  EXPECT_EQ(verdict(judged(cut(kAlone) + step(25, "error", R"(,"message":"undone")") + both)), none);
  EXPECT_EQ(verdict(judged(cut(kAlone) + operation(30, 0))), none);  // nobody knows when it ended
  EXPECT_EQ(verdict(judged(operation(30, 0) + end)), none);
}

TEST(Minority, HalfIsNoMajority) {
  const std::string halves = R"({"n1":["n3","n4"],"n2":["n3","n4"],"n3":["n1","n2"],"n4":["n1","n2"]})";
  const std::string end = step(60, "heal") + step(61, "healed");
  EXPECT_EQ(verdict(judged(cut(halves) + operation(30, 0) + operation(40, 2) + end)),
            "invalid minority-write minority-write");
}

TEST(Minority, UnknownWhenNobodyTried) {
  EXPECT_THAT(verdict(judged(cut(kAlone) + operation(30, 1) + step(60, "heal"))),
              HasSubstr("no client of a node in a minority"));
  EXPECT_EQ(verdict(judged(cut(kAlone) + operation(30, 0) + step(60, "heal"), 0)), "valid");  // not judged
}

}  // namespace
}  // namespace ordeal
