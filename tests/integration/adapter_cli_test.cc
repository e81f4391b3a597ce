// `ordeal adapter test` as its users call it: what it prints, its document, its exit codes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/value.h"
#include "tests/integration/command.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Value document(const ProgramResult& result) {
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << result.out;
  auto value = Value::from_json(result.out);
  EXPECT_TRUE(value) << result.out << result.err;
  return value ? *value : Value::map();
}

// The case of that name. Aborts the test when there is none.
Value case_of(const Value& document, const std::string& name) {
  for (const Value& one : document.find("cases")->items()) {
    if (one.find("case")->string() == name) return one;
  }
  ADD_FAILURE() << "no case " << name << " in " << document.to_json();
  return Value::map();
}

TEST(AdapterTestCommand, APoliteAdapterPassesAndALineTellsEachCase) {
  const auto told = run_program(ordeal({"adapter", "test", "--", "python3", POLITE_ADAPTER}));
  EXPECT_EQ(told.exit_code, 0) << told.out << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("passed   describe"), HasSubstr("passed   garbage"),
                              HasSubstr("\n13 passed, 0 failed, 0 skipped\n")));
  const auto json = run_program(ordeal({"adapter", "test", "--json", "--", "python3", POLITE_ADAPTER}));
  EXPECT_EQ(json.exit_code, 0) << json.err;
  const Value all = document(json);
  EXPECT_EQ(all.find("passed")->integer(), 13);
  EXPECT_EQ(all.find("cases")->items().size(), 13u);
}

TEST(AdapterTestCommand, AMistakeIsAnAnomalyAndWhatTheAdapterSaidIsTold) {
  const auto told = run_program(ordeal({"adapter", "test", "--", "python3", POLITE_ADAPTER, "no-value"}));
  EXPECT_EQ(told.exit_code, 1) << told.out << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("failed   operations of register"), HasSubstr("it said: {")));
  const auto json = run_program(ordeal({"adapter", "test", "--json", "--", "python3", POLITE_ADAPTER, "no-value"}));
  EXPECT_EQ(json.exit_code, 1);
  const Value all = document(json);
  EXPECT_GE(all.find("failed")->integer(), 1);
  const Value found = case_of(all, "operations of register");
  EXPECT_EQ(found.find("outcome")->string(), "failed");
  EXPECT_THAT(found.find("what")->string(), HasSubstr("ok without a \"value\""));
  EXPECT_NE(found.find("said")->string(), "");
}

// It passed: nothing had failed, and nothing had been tried.
TEST(RegressAdapterTest, WhatCouldNotBeTriedIsNotGreen) {
  const auto json = run_program(
      ordeal({"adapter", "test", "--json", "--operations", "raed,enqeue", "--", "python3", POLITE_ADAPTER}));
  EXPECT_EQ(json.exit_code, 2) << json.out << json.err;
  EXPECT_THAT(json.err, HasSubstr("none of its operations could be tried"));
  const Value all = document(json);
  EXPECT_EQ(all.find("failed")->integer(), 0) << json.out;
  EXPECT_THAT(case_of(all, "operation raed").find("what")->string(), HasSubstr("did you mean \"read\"?"));
  EXPECT_THAT(case_of(all, "operation enqeue").find("what")->string(), HasSubstr("did you mean \"enqueue\"?"));
}

TEST(AdapterTestCommand, WhatCannotBeAskedForIsWrongUsage) {
  struct Wrong {
    std::vector<std::string> words;
    const char* said;
  };
  const Wrong kWrong[] = {{{"--", "/nonexistent/adapter"}, "no program that can be executed"},
                          {{}, "command is required"},
                          {{"--timeout", "soon", "--", "cat"}, "--timeout: a duration such as"},
                          {{"--timeout", "2h", "--", "cat"}, "10ms to 1h were expected, found 2h"}};
  for (const Wrong& wrong : kWrong) {
    std::vector<std::string> words = ordeal({"adapter", "test", "--json"});
    words.insert(words.end(), wrong.words.begin(), wrong.words.end());
    const auto result = run_program(words);
    EXPECT_EQ(result.exit_code, 64) << result.out << result.err;
    EXPECT_THAT(document(result).find("error")->string(), HasSubstr(wrong.said));
  }
}

}  // namespace
}  // namespace ordeal::testing
