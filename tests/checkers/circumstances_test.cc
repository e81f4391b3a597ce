// What anomalies are told with: the meaning of their names, and the faults that were in force.

#include "checkers/circumstances.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkers/history/reader.h"
#include "checkers/linearizability/checker.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// A write at 2 s by a client of n1 and a read at 4 s of n2 that misses it, between the events of the nemesis given.
std::string explained(const std::string& before, const std::string& between, const std::string& after) {
  const std::string text = before +
                           R"({"process":0,"type":"invoke","f":"write","value":1,"time":2000000000}
{"process":0,"type":"ok","f":"write","value":1,"time":2000000000}
)" + between + R"({"process":1,"type":"invoke","f":"read","value":null,"time":4000000000}
{"process":1,"type":"ok","f":"read","value":null,"time":4000000000}
)" + after;
  auto read = read_history(text, "test");
  EXPECT_TRUE(read) << read.error().message;
  read->history.place_workers({"n1", "n2"});
  CheckOptions options;
  options.model = "register";
  CheckResult result = linearizable_checker()->check(read->history, options);
  EXPECT_EQ(result.anomalies.size(), 1u);
  add_circumstances(read->history, result);
  EXPECT_THAT(result.anomalies[0].meaning, HasSubstr("no order of the operations"));
  return result.anomalies[0].explanation;
}

std::string step(const std::string& fault, int id, const std::string& step, double at_s, const std::string& more = "") {
  return R"({"process":"nemesis","type":"info","f":")" + fault + R"(","value":{"id":)" + std::to_string(id) +
         R"(,"step":")" + step + "\"" + more + R"(},"time":)" + std::to_string(static_cast<std::int64_t>(at_s * 1e9)) +
         "}\n";
}
const std::string kNodes = R"(,"nodes":["n2","n3"],"fault":{})";

TEST(Circumstances, NameTheFaultsInForceOnTheNodesOfTheOperations) {
  const std::string kill =
      step("kill", 1, "inject", 1, kNodes) + step("kill", 1, "injected", 1.1) + step("kill", 1, "confirmed", 1.2);
  EXPECT_THAT(explained(kill, "", ""), EndsWith("; kill 1 was in force on n2"));
  EXPECT_THAT(explained(step("kill", 1, "inject", 1, kNodes) + step("kill", 1, "injected", 1.1), "", ""),
              EndsWith("; kill 1 was in force on n2, though never confirmed"));
  // Healed before the read; still in force under the write, but not on its node.
  EXPECT_THAT(explained(kill, step("kill", 1, "healed", 3), ""), EndsWith("; kill 1 was in force on n2 and n3"));
}

// What clients say of their operations is told with how long they took; a remark of another kind is not.
TEST(Circumstances, TellDurationsOverlapAndEvidence) {
  const auto told = [](std::int64_t second_ends, const std::string& kind) {
    const auto event = [](int process, const char* type, const char* value, std::int64_t time,
                          const std::string& more) {
      return R"({"process":)" + std::to_string(process) + R"(,"type":")" + type + R"(","f":"insert","key":4,"value":)" +
             value + R"(,"time":)" + std::to_string(time) + more + "}\n";
    };
    const auto because = [&](const char* xid) {
      return R"(,"error":{"kind":")" + kind + R"(","message":"serializable; Index Scan using i on t; xid )" + xid +
             R"("})";
    };
    const std::string text = event(0, "invoke", "[1,null]", 1'000'000, "") +
                             (second_ends < 3'000'000'000 ? event(1, "invoke", "[null,2]", 2'000'000'000, "") +
                                                                event(1, "ok", "[null,2]", second_ends, because("8"))
                                                          : "") +
                             event(0, "ok", "[1,null]", 3'000'000'000, because("7")) +
                             (second_ends < 3'000'000'000 ? ""
                                                          : event(1, "invoke", "[null,2]", 3'500'000'000, "") +
                                                                event(1, "ok", "[null,2]", second_ends, because("8")));
    auto read = read_history(text, "test");
    EXPECT_TRUE(read) << read.error().message;
    CheckResult result = make_workload_checker(*find_workload_checker("g2"))->check(read->history, {});
    EXPECT_EQ(result.anomalies.size(), 1u);
    add_circumstances(read->history, result);
    return result.anomalies.at(0);
  };
  const Anomaly both = told(2'000'400'000, "evidence");
  EXPECT_THAT(both.explanation,
              EndsWith("; 0 took 3.00 s and 1 took 0.40 ms, and all were open at once for 0.40 ms; by "
                       "Index Scan using i on t"));
  EXPECT_THAT(both.sentences,
              testing::Contains("Operation 1 took 0.40 ms: serializable; Index Scan using i on t; xid 8."));
  EXPECT_THAT(told(4'000'000'000, "evidence").explanation, HasSubstr("and at no moment were all of them open"));
  EXPECT_THAT(told(2'000'400'000, "odd").explanation, testing::Not(HasSubstr("took")));
}

// A wrong balance of a read model named thirty operations, and the duration of six of them stood in its first sentence.
TEST(Circumstances, RegressOfManyOperationsTellWhatTheyHaveInCommon) {
  std::string text;
  CheckResult result;
  result.anomalies.emplace_back();
  for (int i = 0; i < 9; ++i) {
    const std::string head = R"({"process":)" + std::to_string(i) + R"(,"f":"add","value":1,"time":)";
    text += head + std::to_string(i * 1'000'000'000LL) + R"(,"type":"invoke"})" + "\n";
    if (i == 8) break;
    text += head + std::to_string(i * 1'000'000'000LL + (i + 1) * 1'000'000LL) +
            R"(,"type":"ok","error":{"kind":"evidence","message":")" +
            (i == 3 ? "Seq Scan on t" : "Index Scan using i on t") + R"("}})" + "\n";
  }
  for (EventIndex inv = 0; inv < 17; inv += 2) result.anomalies.front().operations.push_back(inv);
  const auto read = read_history(text, "test");
  ASSERT_TRUE(read) << read.error().message;
  add_circumstances(read->history, result);
  EXPECT_THAT(
      result.anomalies.front().explanation,
      EndsWith("; of the 9 operations the shortest took 1.00 ms, the longest 8.00 ms, and 1 has no known end; by "
               "Index Scan using i on t and Seq Scan on t"));
  EXPECT_THAT(result.anomalies.front().sentences,
              testing::ElementsAre("Operations 0, 2, 4, 8, 10, 12 and 1 more: Index Scan using i on t.",
                                   "Operation 6: Seq Scan on t."));
}

TEST(Circumstances, SayWhomAPartitionCutOff) {
  const std::string cut =
      step("partition", 2, "inject", 1,
           R"(,"nodes":["n1","n2","n3"],"fault":{"drops":{"n1":["n2"],"n2":["n1","n3"],"n3":["n2"]}})") +
      step("partition", 2, "injected", 1.1);
  EXPECT_THAT(
      explained("",
                cut.substr(0, 0) +
                    step("partition", 2, "inject", 3, R"(,"nodes":["n2"],"fault":{"drops":{"n2":["n1","n3"]}})") +
                    step("partition", 2, "injected", 3.1),
                ""),
      EndsWith("; n2 was cut off from n1 and n3 by partition 2"));
  EXPECT_THAT(explained(cut, "", ""),
              HasSubstr("n1 was cut off from n2 by partition 2 and n2 was cut off from n1 and n3"));
}

TEST(Circumstances, SayWhenNothingWasInForce) {
  const std::string over =
      step("kill", 1, "inject", 0.5, kNodes) + step("kill", 1, "injected", 0.6) + step("kill", 1, "healed", 1);
  EXPECT_THAT(explained(over, "", ""),
              EndsWith("; no fault was in force; the last, kill 1, had been healed 3.00 s before"));
  EXPECT_THAT(explained("", "", step("kill", 1, "inject", 5, kNodes) + step("kill", 1, "injected", 5)),
              EndsWith("; no fault had been injected yet"));
  // One that was not injected was never in force, and a run without faults has none to speak of.
  EXPECT_THAT(
      explained(step("kill", 1, "inject", 1, kNodes) + step("kill", 1, "error", 1, R"(,"message":"no")"), "", ""),
      EndsWith("was written (event 2)"));
  EXPECT_THAT(explained("", "", ""), EndsWith("was written (event 0)"));
}

TEST(Circumstances, PutTheSimplestFirst) {
  CheckResult result;
  for (const std::size_t size : {3u, 1u, 2u}) {
    result.anomalies.emplace_back().type = "G0";
    result.anomalies.back().operations.resize(size, 0);
  }
  add_circumstances(History(), result);
  EXPECT_EQ(result.anomalies[0].operations.size(), 1u);
  EXPECT_EQ(result.anomalies[2].operations.size(), 3u);
}

}  // namespace
}  // namespace ordeal
