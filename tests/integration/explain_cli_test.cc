// `ordeal explain` as its users call it: what it prints, its document, its exit codes, and names that there are not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/value.h"
#include "tests/integration/command.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Standard output is exactly one document. Aborts the test when it is not.
Value document(const ProgramResult& result) {
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << result.out;
  auto value = Value::from_json(result.out);
  EXPECT_TRUE(value) << result.out << result.err;
  return value ? *value : Value::map();
}

TEST(ExplainCommand, SaysWhatItMeansWithAnExampleLevelsAndSources) {
  const auto told = run_program(ordeal({"explain", "nonlinearizable"}));
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(told.err, "");
  EXPECT_THAT(told.out,
              AllOf(HasSubstr("nonlinearizable\n  no order of the operations"), HasSubstr("\nexample     register"),
                    HasSubstr("write x: 1"), HasSubstr("\nbecause     stale read"),
                    HasSubstr("\nforbidden   by linearizable, "), HasSubstr("\nallowed     by sequential"),
                    HasSubstr("\nsources     M. Herlihy, J. Wing"), Not(HasSubstr("\x1b"))));
}

TEST(ExplainCommand, ItsDocumentIsOneAndItsHistoryIsJudgedAsItSays) {
  const Value told = document(run_program(ordeal({"explain", "G1c", "--json"})));
  EXPECT_EQ(told.find("anomaly")->string(), "G1c");
  ASSERT_FALSE(told.find("examples")->items().empty());
  const Value& example = told.find("examples")->items().front();
  EXPECT_NE(example.find("explanation")->string(), "");
  EXPECT_FALSE(example.find("forbidden_by")->items().empty());
  const TemporaryDirectory folder;
  const std::string file = folder.path() + "/h.jsonl";
  const auto history = run_program(ordeal({"explain", "G1c", "--history"}));
  EXPECT_EQ(history.exit_code, 0);
  EXPECT_EQ(static_cast<std::size_t>(std::count(history.out.begin(), history.out.end(), '\n')),
            example.find("history")->items().size());
  std::ofstream(file) << history.out;
  const auto judged = run_program(ordeal({"check", file, "--model", example.find("model")->string().c_str(),
                                          "--consistency", example.find("consistency")->string().c_str(), "--json"}));
  EXPECT_EQ(judged.exit_code, 1) << judged.out << judged.err;
  EXPECT_THAT(judged.out, HasSubstr("\"type\":\"G1c\""));
}

// Each that can be asked for is explained, with a source and an example.
TEST(ExplainCommand, KnowsEveryAnomalyThatIsListed) {
  const Value listed = document(run_program(ordeal({"list", "anomalies", "--json"})));
  ASSERT_TRUE(listed.is_list());
  std::vector<std::string> names;
  for (const Value& one : listed.items()) names.push_back(one.find("name")->string());
  ASSERT_GT(names.size(), 50u);
  for (std::size_t i = 0; i < names.size(); i += 7) {
    const auto result = run_program(ordeal({"explain", names[i].c_str(), "--json"}));
    ASSERT_EQ(result.exit_code, 0) << names[i] << result.err;
    const Value told = document(result);
    EXPECT_FALSE(told.find("examples")->items().empty()) << names[i];
    EXPECT_FALSE(told.find("sources")->items().empty()) << names[i];
  }
}

TEST(ExplainCommand, AnUnknownNameIsWrongUsageAndTheOneThatWasMeantIsTold) {
  const auto slip = run_program(ordeal({"explain", "stale-raed"}));
  EXPECT_EQ(slip.exit_code, 64);
  EXPECT_EQ(slip.out, "");
  EXPECT_THAT(slip.err, HasSubstr("unknown anomaly \"stale-raed\"; did you mean \"stale-read\"?"));
  const auto json = run_program(ordeal({"explain", "stale-raed", "--json"}));
  EXPECT_EQ(json.exit_code, 64);
  const Value said = document(json);
  EXPECT_EQ(said.find("verdict")->string(), "unknown");
  EXPECT_THAT(said.find("error")->string(), HasSubstr("did you mean \"stale-read\"?"));
  const auto nonsense = run_program(ordeal({"explain", "xyzzy"}));
  EXPECT_EQ(nonsense.exit_code, 64);
  EXPECT_THAT(nonsense.err, AllOf(HasSubstr("ordeal list anomalies"), Not(HasSubstr("did you mean"))));
  const auto none = run_program(ordeal({"explain", "--json"}));
  EXPECT_EQ(none.exit_code, 64);
  EXPECT_THAT(document(none).find("error")->string(), HasSubstr("anomaly is required"));
}

// A misspelt second word was told as "A subcommand is required".
TEST(RegressSubcommand, ASlipInTheSecondWordIsNamed) {
  const auto nodes = run_program(ordeal({"nodes", "stats"}));
  EXPECT_EQ(nodes.exit_code, 64);
  EXPECT_THAT(nodes.err, HasSubstr("unknown nodes subcommand \"stats\"; did you mean \"status\"?"));
  const auto adapter = run_program(ordeal({"adapter", "tset", "--json", "--", "cat"}));
  EXPECT_EQ(adapter.exit_code, 64);
  EXPECT_THAT(document(adapter).find("error")->string(), HasSubstr("unknown adapter subcommand \"tset\""));
  EXPECT_EQ(run_program(ordeal({"nodes", "--help"})).exit_code, 0);
  EXPECT_EQ(run_program(ordeal({"adapter"})).exit_code, 64);
}

}  // namespace
}  // namespace ordeal::testing
