// Tests of the checkers stats, unhandled-errors and log-pattern.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "checkers/catalogue.h"
#include "checkers/history/reader.h"

namespace ordeal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

History history_of(std::string_view edn) {
  auto read = read_history(edn, "test");
  EXPECT_TRUE(read) << read.error().message;
  return std::move(read->history);
}

CheckResult checked(const History& history, std::string_view checker, const CheckOptions& options = {}) {
  return (*find_checker(checker))->check(history, options);
}

std::vector<std::string> types(const CheckResult& result) {
  std::vector<std::string> out;
  for (const auto& anomaly : result.anomalies) out.push_back(anomaly.type);
  return out;
}

std::int64_t count(const CheckResult& result, std::string_view name) { return result.details.find(name)->integer(); }

TEST(Catalogue, UnknownNamesListTheKnownOnes) {
  const auto wrong = find_checker("sets");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("did you mean \"set\"?"));
  for (const auto& entry : checkers()) EXPECT_EQ(entry.make()->name(), entry.name);
}

const std::string kAdds =
    "{:process 0 :type :invoke :f :add :value 1} {:process 0 :type :ok :f :add :value 1}"
    "{:process 1 :type :invoke :f :add :value 2} {:process 1 :type :info :f :add :value 2}"
    "{:process 2 :type :invoke :f :add :value 3} {:process 2 :type :fail :f :add :value 3}";

TEST(Stats, CountsByFunctionAndOutcome) {
  const auto result = checked(history_of(kAdds + "{:process 0 :type :invoke :f :add :value 4}"), "stats");
  EXPECT_EQ(result.verdict, Verdict::valid);
  EXPECT_EQ(result.details.find("by-f")->find("add")->to_json(), R"({"count":4,"ok":1,"fail":1,"info":2,"open":1})");
}

TEST(Stats, UnknownWhenAFunctionNeverSucceeded) {
  const auto result = checked(history_of(kAdds + "{:process 0 :type :invoke :f :read}{:process 0 :type :fail :f :read}"), "stats");
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_THAT(result.reason, HasSubstr("read (1 tried)"));
  EXPECT_THAT(checked(history_of("{:process 0 :type :invoke :f :read}"), "stats").reason, HasSubstr("no operation succeeded"));
}

TEST(UnhandledErrors, GroupsByKindWithAnExample) {
  const auto result = checked(history_of("{:process 0 :type :invoke :f :r}{:process 0 :type :info :f :r :error :timeout}"
                                         "{:process 1 :type :invoke :f :r}{:process 1 :type :fail :f :r :error [:exception \"NPE\"]}"
                                         "{:process 2 :type :invoke :f :r}{:process 2 :type :info :f :r :error :timeout}"), "unhandled-errors");
  EXPECT_EQ(result.verdict, Verdict::valid);
  const Value& kinds = *result.details.find("kinds");
  ASSERT_EQ(kinds.items().size(), 2u);
  EXPECT_EQ(kinds.items()[0].find("kind")->string(), "timeout");
  EXPECT_EQ(kinds.items()[0].find("count")->integer(), 2);
  EXPECT_EQ(kinds.items()[1].find("example")->find("message")->string(), "NPE");
  EXPECT_EQ(count(result, "unexpected"), 1);
}

class LogPattern : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "ordeal-logs-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  CheckResult look(const std::string& text, Value extra = Value::map()) {
    const std::string path = folder_ + "/etcd.log";
    std::ofstream(path) << text;
    extra.set("log-pattern.files", Value::list({path}));
    CheckOptions options;
    options.extra = std::move(extra);
    return checked(History(), "log-pattern", options);
  }
  std::string folder_;
};

TEST_F(LogPattern, NamesFileAndLine) {
  const auto result = look("all is well\npanic: runtime error\n{\"level\":\"fatal\",\"msg\":\"x\"}");
  EXPECT_EQ(result.verdict, Verdict::invalid);
  ASSERT_THAT(types(result), ElementsAre("crash-in-log", "crash-in-log"));
  EXPECT_THAT(result.anomalies[0].explanation, HasSubstr("etcd.log:2: panic: runtime error"));
}

TEST_F(LogPattern, QuietLogsAndIgnoredLines) {
  EXPECT_EQ(look("{\"level\":\"info\",\"msg\":\"don't panic, nothing fatal\"}\n").verdict, Verdict::valid);
  Value extra = Value::map();
  extra.set("log-pattern.pattern", "ERR");
  extra.set("log-pattern.ignore", "ERR .*expected");
  EXPECT_EQ(look("ERR this is expected\npanic: x\n", extra).verdict, Verdict::valid);
}

TEST_F(LogPattern, UnknownWhenItCannotLook) {
  EXPECT_THAT(checked(History(), "log-pattern").reason, HasSubstr("no log was given"));
  Value extra = Value::map();
  extra.set("log-pattern.pattern", "(");
  EXPECT_THAT(look("x", extra).reason, HasSubstr("no POSIX extended regular expression"));
  CheckOptions missing;
  missing.extra.set("log-pattern.files", Value::list({folder_ + "/none"}));
  EXPECT_THAT(checked(History(), "log-pattern", missing).reason, HasSubstr("none: cannot be opened"));
}

}  // namespace
}  // namespace ordeal
