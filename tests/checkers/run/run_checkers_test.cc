// Tests of the checkers stats, unhandled-errors, log-pattern and recovery.

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

TEST(Verdicts, AreMergedToTheWorst) {
  using enum Verdict;
  for (const Verdict one : {valid, invalid, unknown}) {
    EXPECT_EQ(merged(one, one), one);
    EXPECT_EQ(merged(one, valid), one) << "valid adds nothing";
    EXPECT_EQ(merged(valid, one), one);
    EXPECT_EQ(merged(one, invalid), invalid) << "an anomaly is proven, whatever else is not known";
    EXPECT_EQ(merged(invalid, one), invalid);
  }
  EXPECT_EQ(name(valid), "valid");
  EXPECT_EQ(name(invalid), "invalid");
  EXPECT_EQ(name(unknown), "unknown");
}

// What goes into results.json and `check --json`: every part, events by their index in the file.
TEST(Results, OfACheckAreCompleteAsAValue) {
  const auto history = history_of(
      "{:index 10 :process 0 :type :invoke :f :write :value 1} {:index 11 :process 0 :type :ok :f :write :value 1}"
      "{:index 12 :process 1 :type :invoke :f :read} {:index 13 :process 1 :type :ok :f :read :value 2}");
  CheckResult result;
  result.verdict = Verdict::invalid;
  result.checker = "linearizable";
  result.model = "register";
  result.consistency = "linearizable";
  result.algorithm = "jit";
  result.operations = 2;
  result.keys = 1;
  result.reason = "none";
  result.details = Value::map({{"states", 3}});
  Anomaly anomaly;
  anomaly.type = "nonlinearizable";
  anomaly.key = Value("k");
  anomaly.operations = {0, 2};
  anomaly.explanation = "2 was never written";
  anomaly.sentences = {"One.", "Two."};
  result.anomalies = {anomaly};
  result.certificate = {{Value("k"), {2, 0}}};
  const Value value = to_value(result, history);
  const auto json = [&](const char* key) { return value.find(key) == nullptr ? "none" : value.find(key)->to_json(); };
  EXPECT_EQ(json("verdict"), "\"invalid\"");
  EXPECT_EQ(json("checker"), "\"linearizable\"");
  EXPECT_EQ(json("operations"), "2");
  EXPECT_EQ(json("keys"), "1");
  EXPECT_EQ(json("reason"), "\"none\"");
  EXPECT_EQ(json("details"), R"({"states":3})");
  EXPECT_EQ(json("certificate"), R"([{"key":"k","operations":[12,10]}])");
  const Value& told = value.find("anomalies")->items().at(0);
  EXPECT_EQ(told.find("type")->string(), "nonlinearizable");
  EXPECT_EQ(told.find("key")->string(), "k");
  EXPECT_EQ(told.find("operations")->to_json(), "[10,12]");
  EXPECT_EQ(told.find("explanation")->string(), "2 was never written");
  EXPECT_EQ(told.find("sentences")->to_json(), R"(["One.","Two."])");
  const Value least = to_value(CheckResult(), history);
  for (const char* key : {"checker", "reason", "details", "certificate"}) EXPECT_EQ(least.find(key), nullptr) << key;
  EXPECT_EQ(least.find("verdict")->string(), "unknown") << "a check that says nothing has decided nothing";
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
  const auto result =
      checked(history_of(kAdds + "{:process 0 :type :invoke :f :read}{:process 0 :type :fail :f :read}"), "stats");
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_THAT(result.reason, HasSubstr("read (1 tried)"));
  EXPECT_THAT(checked(history_of("{:process 0 :type :invoke :f :read}"), "stats").reason,
              HasSubstr("no operation succeeded"));
}

TEST(UnhandledErrors, GroupsByKindWithAnExample) {
  const auto result =
      checked(history_of("{:process 0 :type :invoke :f :r}{:process 0 :type :info :f :r :error :timeout}"
                         "{:process 1 :type :invoke :f :r}{:process 1 :type :fail :f :r :error [:exception \"NPE\"]}"
                         "{:process 2 :type :invoke :f :r}{:process 2 :type :info :f :r :error :timeout}"),
              "unhandled-errors");
  EXPECT_EQ(result.verdict, Verdict::valid);
  const Value& kinds = *result.details.find("kinds");
  ASSERT_EQ(kinds.items().size(), 2u);
  EXPECT_EQ(kinds.items()[0].find("kind")->string(), "timeout");
  EXPECT_EQ(kinds.items()[0].find("count")->integer(), 2);
  EXPECT_EQ(kinds.items()[1].find("example")->find("message")->string(), "NPE");
  EXPECT_EQ(count(result, "unexpected"), 1);
}

// An ok may carry a remark ("evidence"), which had been counted among the errors of unknown outcome.
TEST(UnhandledErrors, RegressARemarkOnAnOkIsNoError) {
  const auto result = checked(
      history_of("{:process 0 :type :invoke :f :read}"
                 "{:process 0 :type :ok :f :read :value 1 :error {:kind \"evidence\" :message \"serializable\"}}"),
      "unhandled-errors");
  EXPECT_THAT(result.details.find("kinds")->items(), IsEmpty());
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
  EXPECT_THAT(checked(History(), "log-pattern", missing).reason, HasSubstr("none: No such file"));
}

// A history in seconds: a fault of some time in force, then what the clients of two workers, on n1 and n2, did.
class RecoveryTest : public ::testing::Test {
 protected:
  void fault(int id, const char* step, double at) {
    event(at, kNemesis, EventType::info, "kill", Value::map({{"id", id}, {"step", step}}));
  }
  void client(double at, ProcessId process, EventType type) { event(at, process, type, "read", Value()); }
  // An operation that fails at once.
  void attempt(double at, ProcessId process, EventType outcome) {
    client(at, process, EventType::invoke);
    client(at + 0.01, process, outcome);
  }
  CheckResult judged(double bound_s) {
    std::stable_sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) { return a.time < b.time; });
    for (const Event& one : events_) {
      const auto added = builder_.add(one);
      EXPECT_TRUE(added) << added.error().message;
    }
    history_ = builder_.finish();
    CheckOptions options;
    options.extra.set("recovery.bound_s", bound_s);
    options.extra.set("recovery.worker_nodes", Value::list({"n1", "n2"}));
    return checked(history_, "recovery", options);
  }
  static std::string verdict_of(const CheckResult& result, std::size_t heal) {
    return result.details.find("heals")->items().at(heal).find("verdict")->string();
  }

 private:
  void event(double at, ProcessId process, EventType type, const char* f, const Value& value) {
    Event e;
    e.time = static_cast<std::int64_t>(at * 1e9);
    e.process = process;
    e.type = type;
    e.f = *builder_.function(f);
    e.value = builder_.values().intern(value);
    events_.push_back(e);
  }
  HistoryBuilder builder_;
  std::vector<Event> events_;
  History history_;
};

TEST_F(RecoveryTest, MeasuresUntilTheLastNodeServesAgain) {
  fault(1, "inject", 1);
  fault(1, "healed", 5);
  attempt(5.5, 0, EventType::ok);
  attempt(6, 1, EventType::fail);
  attempt(7, 1, EventType::ok);
  const auto result = judged(0);
  EXPECT_EQ(result.verdict, Verdict::valid);
  const Value& heal = result.details.find("heals")->items().at(0);
  EXPECT_NEAR(heal.find("first_s")->real(), 0.51, 1e-9);
  EXPECT_NEAR(heal.find("took_s")->real(), 2.01, 1e-9);
  EXPECT_NEAR(heal.find("nodes")->find("n2")->real(), 2.01, 1e-9);
  EXPECT_NEAR(result.details.find("slowest_s")->real(), 2.01, 1e-9);
  EXPECT_EQ(heal.find("verdict"), nullptr) << "no bound, no judgement";
}

TEST_F(RecoveryTest, SlowerThanTheBoundIsAnAnomalyOfTheNodeWithItsOperations) {
  fault(1, "inject", 1);
  fault(1, "healed", 5);
  attempt(5.1, 0, EventType::ok);
  for (double at = 5.5; at < 9; at += 0.5) attempt(at, 1, EventType::fail);
  attempt(9, 1, EventType::ok);
  const auto result = judged(3);
  EXPECT_EQ(result.verdict, Verdict::invalid);
  ASSERT_THAT(types(result), ElementsAre("slow-recovery"));
  EXPECT_THAT(result.anomalies[0].explanation, HasSubstr("the clients of n2 succeeded not before 4.01 s had passed"));
  EXPECT_EQ(result.anomalies[0].operations.size(), 6U);
  EXPECT_EQ(count(result, "judged"), 1);
}

TEST_F(RecoveryTest, AnOperationThatHangsBeyondTheBoundIsAnAttempt) {
  fault(1, "inject", 1);
  fault(1, "healed", 5);
  for (double at = 5.1; at < 15; at += 0.5) attempt(at, 0, EventType::ok);
  client(5.5, 1, EventType::invoke);  // and no end
  EXPECT_EQ(judged(3).verdict, Verdict::invalid);
}

TEST_F(RecoveryTest, ARequestOfBeforeTheHealingProvesNothing) {
  fault(1, "inject", 1);
  fault(1, "healed", 5);
  for (double at = 5.1; at < 15; at += 0.5) attempt(at, 0, EventType::ok);
  client(4.5, 1, EventType::invoke);  // its answer was lost
  client(9.5, 1, EventType::info);
  const auto result = judged(3);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_EQ(verdict_of(result, 0), "not judged: the clients were not at work");
}

TEST_F(RecoveryTest, WithinTheBoundIsInTime) {
  fault(1, "inject", 1);
  fault(1, "healed", 5);
  for (const double at : {5.1, 7.9}) {
    attempt(at, 0, EventType::ok);
    attempt(at, 1, EventType::ok);
  }
  const auto result = judged(1);
  EXPECT_EQ(result.verdict, Verdict::valid);
  EXPECT_EQ(verdict_of(result, 0), "in time");
}

TEST_F(RecoveryTest, ClientsThatDidNotTryProveNothing) {
  fault(1, "inject", 1);
  fault(1, "healed", 5);
  attempt(5.1, 0, EventType::ok);
  attempt(5.2, 1, EventType::fail);  // and then sleeps until 20
  attempt(20, 1, EventType::ok);
  const auto result = judged(3);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_THAT(result.anomalies, IsEmpty());
  EXPECT_EQ(verdict_of(result, 0), "not judged: the clients were not at work");
  EXPECT_THAT(result.reason, HasSubstr("bound of 3 s"));
}

TEST_F(RecoveryTest, AnotherFaultIsNoExcuseForThisOneButKeepsItFromBeingJudged) {
  fault(1, "inject", 1);
  fault(1, "healed", 5);
  fault(2, "inject", 6);  // never healed
  for (double at = 5.5; at < 12; at += 0.5) {
    attempt(at, 0, EventType::fail);
    attempt(at, 1, EventType::fail);
  }
  const auto result = judged(3);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_EQ(verdict_of(result, 0), "not judged: another fault was in force");
  EXPECT_EQ(result.details.find("heals")->items().at(0).find("meanwhile")->string(), "fault 2 (kill) was in force");
  EXPECT_EQ(result.details.find("heals")->items().size(), 1U) << "what was never healed is not recovered from";
}

// From the moment of the healing to the end of the bound, both included: who is unsure does not accuse.
TEST_F(RecoveryTest, AFaultThatTouchesTheBoundDisturbs) {
  fault(2, "inject", 2);
  fault(1, "inject", 3);
  fault(1, "healed", 5);
  fault(2, "healed", 5);  // each ends when the other does
  for (double at = 5.5; at < 8; at += 0.5) {
    attempt(at, 0, EventType::fail);
    attempt(at, 1, EventType::fail);
  }
  attempt(8.5, 0, EventType::ok);
  attempt(8.5, 1, EventType::ok);
  const auto result = judged(3);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  for (const std::size_t heal : {0u, 1u}) EXPECT_EQ(verdict_of(result, heal), "not judged: another fault was in force");
}

TEST_F(RecoveryTest, AFaultAtTheEndOfTheBoundDisturbs) {
  fault(1, "inject", 3);
  fault(1, "healed", 5);
  for (double at = 5.5; at < 8; at += 0.5) {
    attempt(at, 0, EventType::fail);
    attempt(at, 1, EventType::fail);
  }
  fault(2, "inject", 8);
  const auto result = judged(3);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_EQ(verdict_of(result, 0), "not judged: another fault was in force");
}

TEST_F(RecoveryTest, WhatWasInTimeCountsEvenUnderAnotherFault) {
  fault(1, "inject", 1);
  fault(1, "healed", 5);
  fault(2, "inject", 5.5);
  fault(2, "healed", 20);
  attempt(5.6, 0, EventType::ok);
  attempt(5.6, 1, EventType::ok);
  attempt(20.5, 0, EventType::ok);
  attempt(20.5, 1, EventType::ok);
  const auto result = judged(3);
  EXPECT_EQ(result.verdict, Verdict::valid);
  EXPECT_EQ(count(result, "judged"), 2);
}

}  // namespace
}  // namespace ordeal
