#include "checkers/explain/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "checkers/explain/example_text.h"
#include "checkers/model_catalogue.h"

namespace ordeal {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::set<std::string> names() {
  std::set<std::string> out;
  for (const AnomalyEntry& entry : anomaly_catalogue()) out.insert(entry.name);
  return out;
}

TEST(Explanation, EveryAnomalyHasAnExampleThatTheCheckersRefuseForIt) {
  for (const std::string& name : names()) {
    const auto explanation = explanation_of(name);
    ASSERT_TRUE(explanation) << name;
    EXPECT_FALSE(explanation->meanings.empty()) << name;
    EXPECT_FALSE(explanation->sources.empty()) << name;
    EXPECT_FALSE(explanation->examples.empty()) << name;
    for (const AnomalyExample& example : explanation->examples) {
      // A run's journal is judged in tests/session/run_session_test.cc.
      if (example.kind == AnomalyExample::Kind::recorded) continue;
      const auto result = judged(example);
      ASSERT_TRUE(result) << name << ": " << result.error().message;
      EXPECT_EQ(result->verdict, Verdict::invalid) << name << ": " << result->reason;
      std::vector<std::string> found;
      for (const Anomaly& one : result->anomalies) found.push_back(one.type);
      EXPECT_THAT(found, Contains(name)) << example.text;
    }
  }
}

// An example that shows much else beside is a poor one.
TEST(Explanation, ExamplesAreSmall) {
  for (const std::string& name : names()) {
    const auto explanation = explanation_of(name);
    for (const AnomalyExample& example : explanation->examples) {
      EXPECT_LE(std::count(example.text.begin(), example.text.end(), '\n'), 8) << name << "\n" << example.text;
    }
  }
}

TEST(Explanation, WhatForbidsIt) {
  const auto of = [](const std::string& name) {
    const auto explanation = explanation_of(name);
    return forbidden_by(name, explanation->examples.front());
  };
  const ForbiddenBy g1c = of("G1c");
  EXPECT_TRUE(g1c.and_stronger);
  EXPECT_EQ(g1c.forbidding, std::vector<std::string>{"read-committed"});
  EXPECT_THAT(g1c.allowing, Contains("read-uncommitted"));
  const ForbiddenBy skew = of("G2-item");
  EXPECT_EQ(skew.forbidding, std::vector<std::string>{"repeatable-read"});
  EXPECT_THAT(skew.allowing, Contains("snapshot-isolation"));
  const ForbiddenBy stale = of("nonlinearizable");
  EXPECT_THAT(stale.forbidding, Contains("linearizable"));
  EXPECT_THAT(stale.allowing, Contains("sequential"));
  const ForbiddenBy order = of("CyclicCF");
  EXPECT_THAT(order.forbidding, Contains("causal-ccv"));
  EXPECT_THAT(order.allowing, Contains("causal-cc"));
}

TEST(Explanation, AnUnknownNameIsToldWithTheNearest) {
  const auto wrong = explanation_of("stale-raed");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::usage);
  EXPECT_THAT(wrong.error().message, HasSubstr("did you mean \"stale-read\"?"));
  EXPECT_THAT(explanation_of("zzzzzzzzzzz").error().message, HasSubstr("ordeal list anomalies"));
}

TEST(ExampleText, ALineIsAnOperation) {
  const auto history = example_history(
      "0 write x: 1\n1 cas x: [1,2] !limited\n2 add 4 begins\n5s 3 read -> []\n2 ends ?\n"
      R"({"process":"nemesis","type":"info","f":"kill","value":1})"
      "\n");
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_THAT(*history,
              HasSubstr(R"({"process":0,"type":"invoke","f":"write","key":"x","value":1,"time":1000000,"index":0})"
                        "\n"
                        R"({"process":0,"type":"ok","f":"write","key":"x","value":1,"time":2000000,"index":1})"));
  EXPECT_THAT(*history, HasSubstr(R"("type":"fail","f":"cas","key":"x","value":[1,2],"error":{"kind":"limited"})"));
  EXPECT_THAT(*history, HasSubstr(R"({"process":3,"type":"invoke","f":"read","value":null,"time":5000000000,)"));
  EXPECT_THAT(*history, HasSubstr(R"("type":"info","f":"add","value":4)"));
  EXPECT_THAT(*history, HasSubstr(R"("process":"nemesis","type":"info","f":"kill","value":1,"time":5003000000)"));
}

TEST(ExampleText, WhatIsWrongIsNamedWithItsLine) {
  const std::pair<const char*, const char*> kWrong[] = {{"0 write x: 1\nwrite x\n", "line 2 \"write x\": a process"},
                                                        {"0\n", "a process and what it does"},
                                                        {"0 ends\n", "no operation under way"},
                                                        {"0 add 1 begins\n0 add 2\n", "has an operation under way"},
                                                        {"0 add zwei\n", "line 1"},
                                                        {"0 add 1 -> \n", "an outcome"},
                                                        {"{broken\n", "line 1"}};
  for (const auto& [text, message] : kWrong) {
    const auto history = example_history(text);
    ASSERT_FALSE(history) << text;
    EXPECT_EQ(history.error().code, ErrorCode::input);
    EXPECT_THAT(history.error().message, HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace ordeal
