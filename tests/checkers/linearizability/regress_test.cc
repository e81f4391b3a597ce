// Shrunk histories that were once judged wrongly, kind by kind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkers/history/reader.h"
#include "checkers/linearizability/checker.h"

namespace ordeal {
namespace {

using testing::HasSubstr;

CheckResult judged(const std::string& model, const std::string& edn, const char* initial = nullptr) {
  auto read = read_history(edn, "test");
  EXPECT_TRUE(read) << edn;
  CheckOptions options;
  options.model = model;
  if (initial != nullptr) options.initial = *Value::from_json(initial);
  return linearizable_checker()->check(read->history, options);
}

// One operation of process 0, as EDN; "" leaves the completion's value out.
std::string one(const std::string& f, const std::string& asked, const std::string& done) {
  return "{:process 0 :type :invoke :f " + f + " :value " + asked + "}\n{:process 0 :type :ok :f " + f +
         (done.empty() ? "" : " :value " + done) + "}\n";
}

// An ok dequeue without a value was taken for one of an empty queue, an ok read for one of nil: both were `valid`.
TEST(RegressResults, ThatWereNotRecordedAreUnknown) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"register", ":read"},
                                                                  {"cas-register", ":read"},
                                                                  {"versioned-register", ":read"},
                                                                  {"multi-register", ":read"},
                                                                  {"kv", ":get"},
                                                                  {"counter", ":read"},
                                                                  {"set", ":read"},
                                                                  {"log", ":read"},
                                                                  {"queue", ":dequeue"},
                                                                  {"stack", ":pop"},
                                                                  {"unordered-queue", ":dequeue"},
                                                                  {"priority-queue", ":dequeue"},
                                                                  {"unique-ids", ":generate"}};
  for (const auto& [model, f] : cases) {
    const CheckResult result = judged(model, one(f, "nil", ""));
    EXPECT_EQ(result.verdict, Verdict::unknown) << model;
    EXPECT_THAT(result.reason, HasSubstr("was not recorded")) << model;
  }
  const CheckResult txn = judged("multi-register", one(":txn", "[[\"w\" :x 1] [\"r\" :x nil]]", ""));
  EXPECT_EQ(txn.verdict, Verdict::unknown);
  EXPECT_THAT(txn.reason, HasSubstr("was not recorded"));
}

// A write of 1 that completed as one of 2 was judged by what was asked for.
TEST(RegressCompletions, ThatContradictTheirInvocationAreUnknown) {
  const std::vector<std::array<std::string, 4>> cases = {
      {"register", ":write", "1", "2"},
      {"cas-register", ":cas", "[1 2]", "[1 3]"},
      {"multi-register", ":write", "1", "2"},
      {"multi-register", ":txn", "[[\"w\" :x 1]]", "[[\"w\" :x 2]]"},
      {"multi-register", ":txn", "[[\"r\" :x nil]]", "[[\"r\" :y nil]]"},
      {"versioned-register", ":write", "[nil 1]", "[1 2]"},
      {"kv", ":put", "\"a\"", "\"b\""},
      {"kv", ":append", "\"a\"", "\"b\""},
      {"counter", ":add", "1", "2"},
      {"fetch-add", ":fetch-add", "[1 nil]", "[2 0]"},
      {"set", ":add", "1", "2"},
      {"set", ":contains", "[1 nil]", "[2 false]"},
      {"log", ":append", "1", "2"},
      {"queue", ":enqueue", "1", "2"},
      {"unordered-queue", ":enqueue", "1", "2"},
      {"priority-queue", ":enqueue", "1", "2"},
      {"stack", ":push", "1", "2"},
  };
  for (const auto& [model, f, asked, done] : cases) {
    const CheckResult result = judged(model, one(f, asked, done));
    EXPECT_EQ(result.verdict, Verdict::unknown) << model << " " << f;
    EXPECT_THAT(result.reason, HasSubstr("contradicts the invocation")) << model << " " << f;
    // Repeated or left out is fine.
    const bool txn_read = asked.find("r\\\"") != std::string::npos;
    if (txn_read) continue;
    EXPECT_THAT(judged(model, one(f, asked, asked)).reason, testing::Not(HasSubstr("contradicts")))
        << model << " " << f;
  }
}

// Writes that nobody read were `valid`: no violation could have been seen.
TEST(RegressNothing, OfValueObservedIsUnknown) {
  const std::vector<std::array<std::string, 3>> cases = {{"register", ":write", "1"},
                                                         {"multi-register", ":txn", "[[\"w\" :x 1]]"},
                                                         {"kv", ":put", "\"a\""},
                                                         {"counter", ":add", "1"},
                                                         {"set", ":add", "1"},
                                                         {"log", ":append", "1"},
                                                         {"queue", ":enqueue", "1"},
                                                         {"stack", ":push", "1"},
                                                         {"unordered-queue", ":enqueue", "1"}};
  for (const auto& [model, f, value] : cases) {
    const CheckResult result = judged(model, one(f, value, value));
    EXPECT_EQ(result.verdict, Verdict::unknown) << model;
    EXPECT_THAT(result.reason, HasSubstr("nothing of value was observed")) << model;
  }
  // What succeeded only because of the state shows it.
  EXPECT_EQ(judged("mutex", one(":acquire", "nil", "nil")).verdict, Verdict::valid);
  EXPECT_EQ(judged("cas-register", one(":cas", "[nil 1]", "[nil 1]")).verdict, Verdict::valid);
  EXPECT_EQ(judged("unique-ids", one(":generate", "nil", "7")).verdict, Verdict::valid);
}

// An initial value that occurs nowhere in the history has no number there; to describe it crashed.
TEST(RegressInitial, ThatOccursNowhereIsDescribed) {
  EXPECT_EQ(judged("versioned-register", one(":read", "[nil nil]", "[3 2]"), "[3,1]").verdict, Verdict::invalid);
  EXPECT_EQ(judged("register", one(":read", "nil", "2"), "1").verdict, Verdict::invalid);
  EXPECT_EQ(judged("multi-register", one(":txn", "[[\"r\" :x nil]]", "[[\"r\" :x 2]]"), "1").verdict, Verdict::invalid);
  EXPECT_EQ(judged("set", one(":read", "nil", "[2]"), "[1]").verdict, Verdict::invalid);
  EXPECT_EQ(judged("queue", one(":dequeue", "nil", "2"), "[1]").verdict, Verdict::invalid);
  EXPECT_EQ(judged("stack", one(":pop", "nil", "2"), "[1]").verdict, Verdict::invalid);
  EXPECT_EQ(judged("unordered-queue", one(":dequeue", "nil", "2"), "[1]").verdict, Verdict::invalid);
  EXPECT_EQ(judged("log", one(":read", "nil", "[2]"), "[1]").verdict, Verdict::invalid);
}

}  // namespace
}  // namespace ordeal
