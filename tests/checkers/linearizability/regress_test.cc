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

// All puts are concurrent, then all takes: there are as many states as orders of the puts, and 20 to 50 operations
// stayed undecided for minutes. One value is repeated, or the process of one take crashed.
std::string crowd(const std::string& put, const std::string& take, int elements, const std::vector<int>& taken,
                  bool crashed_take) {
  const auto event = [](int process, const char* type, const std::string& f, const std::string& value) {
    return "{:process " + std::to_string(process) + " :type " + type + " :f " + f + " :value " + value + "}\n";
  };
  std::string out;
  const auto all = [&](const char* type, const std::string& f, const auto& value) {
    for (int i = 0; i < elements; ++i) out += event(i, type, f, value(i));
  };
  const auto element = [&](int i) { return std::to_string(crashed_take ? i : i % (elements - 1)); };
  all(":invoke", put, element);
  all(":ok", put, element);
  if (crashed_take) out += event(elements, ":invoke", take, "nil") + event(elements, ":info", take, "nil");
  const int takes = static_cast<int>(taken.size());
  for (int i = 0; i < takes; ++i) out += event(i, ":invoke", take, "nil");
  for (int i = 0; i < takes; ++i) out += event(i, ":ok", take, std::to_string(taken[static_cast<std::size_t>(i)]));
  return out;
}

TEST(RegressContainers, CrowdsWithARepeatedValueOrACrashedTakeAreDecided) {
  const std::vector<std::array<std::string, 3>> models = {{"queue", ":enqueue", ":dequeue"},
                                                          {"unordered-queue", ":enqueue", ":dequeue"},
                                                          {"priority-queue", ":enqueue", ":dequeue"},
                                                          {"stack", ":push", ":pop"}};
  constexpr int kElements = 14;
  for (const auto& [model, put, take] : models) {
    for (const bool crashed : {false, true}) {
      std::vector<int> taken;
      for (int i = kElements - 1; i > (crashed ? 0 : -1); --i) taken.push_back(crashed ? i : i % (kElements - 1));
      EXPECT_EQ(judged(model, crowd(put, take, kElements, taken, crashed)).verdict, Verdict::valid) << model << crashed;
      taken.back() = taken[1];  // which is once too often
      const CheckResult wrong = judged(model, crowd(put, take, kElements, taken, crashed));
      EXPECT_EQ(wrong.verdict, Verdict::invalid) << model << crashed;
    }
  }
}

// A set was searched as a whole, so that crashed adds of twenty elements that others re-added left it undecided.
TEST(RegressSets, ElementsThatAreAddedAgainAreDecidedOneByOne) {
  std::string events;
  for (int e = 0; e < 20; ++e) {
    const std::string value = std::to_string(e);
    events += "{:process " + std::to_string(100 + e) + " :type :invoke :f :add :value " + value + "}\n";
    events += "{:process " + std::to_string(100 + e) + " :type :info :f :add :value " + value + "}\n";
  }
  for (int e = 0; e < 20; ++e) {
    const std::string value = std::to_string(e);
    for (const char* f : {":add", ":remove", ":add"}) events += one(f, value, value);
    events += one(":contains", "[" + value + " nil]", "[" + value + " true]");
  }
  EXPECT_EQ(judged("set", events).verdict, Verdict::valid);
  const CheckResult wrong = judged("set", events + one(":contains", "[7 nil]", "[7 false]"));
  EXPECT_EQ(wrong.verdict, Verdict::invalid);
  EXPECT_EQ(wrong.algorithm, "by-element");
}

// Fifty clients append to one key: every order of the open appends was a state, though each get shows the order.
TEST(RegressKv, GetsShowTheOrderOfAppends) {
  constexpr int kClients = 30;
  std::string events, text;
  const auto event = [](int process, const char* type, const char* f, const std::string& value) {
    return "{:process " + std::to_string(process) + " :type " + type + " :f " + f + " :key 0 :value " + value + "}\n";
  };
  const auto token = [](int i) { return "x" + std::to_string(i) + "y"; };
  for (int i = 0; i < kClients; ++i) events += event(i, ":invoke", ":append", '"' + token(i) + '"');
  for (int i = 0; i < kClients; ++i) {
    text += token(kClients - 1 - i);
    events += event(100, ":invoke", ":get", "nil") + event(100, ":ok", ":get", '"' + text + '"');
  }
  for (int i = 0; i < kClients; ++i) events += event(i, ":ok", ":append", '"' + token(i) + '"');
  EXPECT_EQ(judged("kv", events).verdict, Verdict::valid);
  const std::string wrong = text.substr(0, text.size() - token(0).size()) + "x99y";
  EXPECT_EQ(judged("kv", events + event(100, ":invoke", ":get", "nil") + event(100, ":ok", ":get", '"' + wrong + '"'))
                .verdict,
            Verdict::invalid);
}

// Which release belongs to which acquire is not known when one process gives back what another took; counterexamples
// left out the one without the other, and what was left broke the model without proving anything.
TEST(RegressMutex, GivenBackByAnotherIsNotTakenApart) {
  std::string text;
  const std::vector<std::pair<int, std::string>> calls = {
      {0, "acquire"}, {1, "release"}, {0, "acquire"}, {2, "acquire"}};
  for (const auto& [process, f] : calls) {
    for (const char* type : {":invoke", ":ok"})
      text += "{:process " + std::to_string(process) + " :type " + type + " :f :" + f + " :value nil}\n";
  }
  const CheckResult result = judged("mutex", text);
  ASSERT_EQ(result.verdict, Verdict::invalid);
  EXPECT_EQ(result.anomalies[0].operations.size(), 4u);
}

// Of a set all updates of an element went into a counterexample, hundreds of them: those long over have no part in it.
TEST(RegressCounterexample, OfAnElementThatWasAddedOftenIsShort) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += one(":add", "1", "1") + one(":remove", "1", "1");
  const auto long_after = judged("set", text + one(":contains", "1", "[1 true]"));
  ASSERT_EQ(long_after.verdict, Verdict::invalid);
  EXPECT_LE(long_after.anomalies[0].operations.size(), 3u);
  // An add that may still be under way is named as what does not explain it.
  const std::string open = "{:process 5 :type :invoke :f :remove :value 1}\n";
  const auto absent = judged("set", text + open + one(":add", "1", "1") + one(":add", "1", "1") +
                                        one(":contains", "1", "[1 false]") + one(":contains", "1", "[1 true]"));
  ASSERT_EQ(absent.verdict, Verdict::invalid);
  EXPECT_LE(absent.anomalies[0].operations.size(), 5u);
}

}  // namespace
}  // namespace ordeal
