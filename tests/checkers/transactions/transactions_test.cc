// Every row of the shared adversarial set about transactions, and one history for each anomaly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "checkers/history/reader.h"
#include "checkers/transactions/checker.h"

namespace ordeal {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

std::filesystem::path shared_data() {
  const char* other = std::getenv("ORDEAL_SHARED_DATA");
  return other != nullptr ? other : ORDEAL_SHARED_DATA_DIR;
}

CheckResult check(const History& history, const std::string& model, const std::string& level) {
  CheckOptions options;
  options.model = model;
  options.consistency = level;
  return transactional_checker()->check(history, options);
}

// Lines "process type transaction" with the transaction in JSON.
History written(const std::string& text) {
  std::string json;
  std::istringstream in(text);
  std::string process, type, value;
  while (in >> process >> type && std::getline(in, value)) {
    json += "{\"process\":" + process + ",\"type\":\"" + type + "\",\"f\":\"txn\",\"value\":" + value + "}\n";
  }
  auto read = read_history(json, "test");
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  return std::move(read->history);
}

TEST(Adversarial, EveryRowOfTransactions) {
  const auto folder = shared_data() / "adversarial";
  std::ifstream table(folder / "expected.tsv");
  if (!table) GTEST_SKIP() << "no shared data at " << folder;
  std::string line;
  int rows = 0;
  while (std::getline(table, line)) {
    std::istringstream in(line);
    std::string file, model, level, verdict;
    std::getline(in, file, '\t');
    std::getline(in, model, '\t');
    std::getline(in, level, '\t');
    std::getline(in, verdict, '\t');
    if (model != "list-append" && model != "rw-register") continue;
    SCOPED_TRACE(file + " at " + level);
    auto read = read_history_file((folder / file).string());
    ASSERT_TRUE(read) << read.error().message;
    const CheckResult result = check(read->history, model, level);
    EXPECT_EQ(name(result.verdict), verdict) << result.reason;
    EXPECT_EQ(result.anomalies.empty(), verdict == "valid");
    ++rows;
  }
  EXPECT_GT(rows, 100);
}

// Nobody saw that process 0 wrote b before process 2 did: the other order would put process 1 before process 0.
TEST(RwRegister, OrdersThatWereConcludedAreToldAsThat) {
  const History history = written(R"(0 invoke [["w","b",1],["w","a",1]]
1 invoke [["r","b",null],["r","a",null]]
2 invoke [["w","a",2],["w","b",2]]
2 ok [["w","a",2],["w","b",2]]
0 ok [["w","b",1],["w","a",1]]
1 ok [["r","b",2],["r","a",1]])");
  const CheckResult result = check(history, "rw-register", "strict-serializable");
  ASSERT_EQ(result.verdict, Verdict::invalid) << result.reason;
  ASSERT_EQ(result.anomalies.size(), 1u);
  EXPECT_EQ(result.anomalies[0].type, "no-serial-order-realtime");
  EXPECT_THAT(result.anomalies[0].sentences, Contains(HasSubstr("since the other order closes a circle, too")));
}

// Which order was concluded, from what, is told of that edge and of no other.
TEST(Axioms, WhoHadToKnowIsToldOfTheOrderThatFollowsFromIt) {
  const auto told = [](const char* model, const char* level, const char* text) {
    const CheckResult result = check(written(text), model, level);
    EXPECT_EQ(result.verdict, Verdict::invalid) << result.reason;
    std::vector<std::string> out;
    for (const auto& anomaly : result.anomalies) {
      for (const auto& sentence : anomaly.sentences) {
        if (sentence.find("had to know of") != std::string::npos) out.push_back(sentence);
      }
    }
    return out;
  };
  // Neither order of the two writers was seen: both follow.
  EXPECT_THAT(told("rw-register", "read-atomic", R"(0 invoke [["w","x",1],["w","y",1]]
1 invoke [["w","x",2],["w","y",2]]
2 invoke [["r","x",null],["r","y",null]]
0 ok [["w","x",1],["w","y",1]]
1 ok [["w","x",2],["w","y",2]]
2 ok [["r","x",1],["r","y",2]]
)"),
              ::testing::UnorderedElementsAre(HasSubstr(R"(wrote key "x")"), HasSubstr(R"(wrote key "y")")));
  // The order of x was seen by others; what follows from it is one order, by y.
  EXPECT_THAT(told("list-append", "read-atomic", R"(0 invoke [["append","x",1],["append","y",1]]
0 ok [["append","x",1],["append","y",1]]
1 invoke [["append","x",2],["append","y",2]]
1 ok [["append","x",2],["append","y",2]]
2 invoke [["r","x",null],["r","y",null]]
2 ok [["r","x",[1]],["r","y",[1,2]]]
3 invoke [["r","x",null]]
3 ok [["r","x",[1,2]]]
)"),
              ::testing::SizeIs(1));
}

TEST(ListAppend, ExampleOfTheEllePaper) {
  const auto file = shared_data() / "edn" / "list-append-paper-example.edn";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no shared data at " << file;
  auto read = read_history_file(file.string());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(check(read->history, "list-append", "strict-serializable").verdict, Verdict::invalid);
}

struct Case {
  const char* anomaly;
  const char* model;
  const char* level;  // the weakest level that it contradicts
  const char* holds;  // a level that it leaves standing; "" for none
  const char* history;
};

class Anomalies : public ::testing::TestWithParam<Case> {};

TEST_P(Anomalies, NamedRight) {
  const Case& one = GetParam();
  const History history = written(one.history);
  const CheckResult result = check(history, one.model, one.level);
  EXPECT_EQ(result.verdict, Verdict::invalid) << result.reason;
  EXPECT_THAT(result.anomalies, Contains(Field(&Anomaly::type, one.anomaly)));
  for (const Anomaly& anomaly : result.anomalies) EXPECT_FALSE(anomaly.explanation.empty());
  if (*one.holds != 0) {
    const CheckResult weaker = check(history, one.model, one.holds);
    EXPECT_EQ(weaker.verdict, Verdict::valid)
        << weaker.reason << (weaker.anomalies.empty() ? "" : weaker.anomalies[0].type);
  }
  const CheckResult all = check(history, one.model, "strongest");
  EXPECT_EQ(all.verdict, Verdict::invalid);
  EXPECT_THAT(all.anomalies, Contains(Field(&Anomaly::type, one.anomaly)));
  EXPECT_THAT(all.details.to_json(), HasSubstr(std::string("{\"level\":\"") + one.level));
}

INSTANTIATE_TEST_SUITE_P(
    All, Anomalies,
    ::testing::Values(
        Case{"G0", "list-append", "read-uncommitted", "", R"(0 invoke [["append","x",1],["append","y",1]]
1 invoke [["append","x",2],["append","y",2]]
0 ok [["append","x",1],["append","y",1]]
1 ok [["append","x",2],["append","y",2]]
2 invoke [["r","x",null],["r","y",null]]
2 ok [["r","x",[1,2]],["r","y",[2,1]]]
)"},
        Case{"G1a", "list-append", "read-committed", "read-uncommitted", R"(0 invoke [["append","x",1]]
0 fail [["append","x",1]]
1 invoke [["r","x",null]]
1 ok [["r","x",[1]]]
)"},
        Case{"G1b", "list-append", "read-committed", "read-uncommitted", R"(0 invoke [["append","x",1],["append","x",2]]
0 ok [["append","x",1],["append","x",2]]
1 invoke [["r","x",null]]
1 ok [["r","x",[1]]]
)"},
        Case{"G1c", "list-append", "read-committed", "read-uncommitted", R"(0 invoke [["append","x",1],["r","y",null]]
1 invoke [["append","y",1],["r","x",null]]
0 ok [["append","x",1],["r","y",[1]]]
1 ok [["append","y",1],["r","x",[1]]]
)"},
        Case{"G-single", "list-append", "consistent-view", "cursor-stability",
             R"(0 invoke [["append","x",1],["append","y",1]]
1 invoke [["r","x",null],["r","y",null]]
0 ok [["append","x",1],["append","y",1]]
1 ok [["r","x",[]],["r","y",[1]]]
)"},
        Case{"G-nonadjacent", "list-append", "snapshot-isolation", "parallel-snapshot-isolation",
             R"(0 invoke [["append","x",1]]
1 invoke [["append","y",1]]
2 invoke [["r","x",null],["r","y",null]]
3 invoke [["r","x",null],["r","y",null]]
0 ok [["append","x",1]]
1 ok [["append","y",1]]
2 ok [["r","x",[1]],["r","y",[]]]
3 ok [["r","x",[]],["r","y",[1]]]
)"},
        Case{"G2-item", "list-append", "repeatable-read", "strong-snapshot-isolation",
             R"(0 invoke [["r","x",null],["append","y",1]]
1 invoke [["r","y",null],["append","x",1]]
0 ok [["r","x",[]],["append","y",1]]
1 ok [["r","y",[]],["append","x",1]]
)"},
        Case{"G-update", "list-append", "update-serializable", "snapshot-isolation",
             R"(0 invoke [["r","x",null],["append","y",1]]
1 invoke [["r","y",null],["append","x",1]]
0 ok [["r","x",[]],["append","y",1]]
1 ok [["r","y",[]],["append","x",1]]
)"},
        Case{"no-snapshot-order", "list-append", "snapshot-isolation", "read-committed",
             R"(0 invoke [["r","x",null],["append","y",1],["append","z",1]]
1 invoke [["r","y",null],["append","x",1],["append","z",2]]
0 ok [["r","x",[]],["append","y",1],["append","z",1]]
1 ok [["r","y",[]],["append","x",1],["append","z",2]]
)"},
        Case{"G-single-process", "list-append", "strong-session-snapshot-isolation", "serializable",
             R"(0 invoke [["append","x",1]]
0 ok [["append","x",1]]
0 invoke [["r","x",null]]
0 ok [["r","x",[]]]
)"},
        Case{"G-single-realtime", "list-append", "strong-snapshot-isolation", "strong-session-serializable",
             R"(0 invoke [["append","x",1]]
0 ok [["append","x",1]]
1 invoke [["r","x",null]]
1 ok [["r","x",[]]]
)"},
        Case{"internal", "list-append", "read-atomic", "read-committed", R"(0 invoke [["append","x",1],["r","x",null]]
0 ok [["append","x",1],["r","x",[]]]
)"},
        Case{"garbage-read", "list-append", "read-uncommitted", "", R"(0 invoke [["append","x",1],["r","x",null]]
0 ok [["append","x",1],["r","x",[7,1]]]
)"},
        Case{"incompatible-order", "list-append", "read-committed", "", R"(0 invoke [["append","x",1]]
1 invoke [["append","x",2]]
0 ok [["append","x",1]]
1 ok [["append","x",2]]
0 invoke [["r","x",null]]
0 ok [["r","x",[1,2]]]
1 invoke [["r","x",null]]
1 ok [["r","x",[2,1]]]
)"},
        Case{"lost-update", "list-append", "cursor-stability", "read-committed",
             R"(0 invoke [["r","x",null],["append","x",1]]
1 invoke [["r","x",null],["append","x",2]]
0 ok [["r","x",[]],["append","x",1]]
1 ok [["r","x",[]],["append","x",2]]
)"},
        Case{"dirty-update", "list-append", "read-committed", "read-uncommitted", R"(0 invoke [["append","x",1]]
0 fail [["append","x",1]]
1 invoke [["append","x",2]]
1 ok [["append","x",2]]
1 invoke [["r","x",null]]
1 ok [["r","x",[1,2]]]
)"},
        Case{"lost-update", "rw-register", "cursor-stability", "read-committed",
             R"(0 invoke [["r","x",null],["w","x",1]]
1 invoke [["r","x",null],["w","x",2]]
0 ok [["r","x",null],["w","x",1]]
1 ok [["r","x",null],["w","x",2]]
)"},
        Case{"no-serial-order", "rw-register", "serializable", "read-uncommitted", R"(0 invoke [["w","x",1],["w","y",1]]
1 invoke [["w","x",2],["w","y",2]]
0 ok [["w","x",1],["w","y",1]]
1 ok [["w","x",2],["w","y",2]]
2 invoke [["r","x",null],["r","y",null]]
3 invoke [["r","x",null],["r","y",null]]
2 ok [["r","x",1],["r","y",2]]
3 ok [["r","x",2],["r","y",1]]
)"},
        Case{"future-read", "list-append", "read-committed", "read-uncommitted",
             R"(0 invoke [["r","x",null],["append","x",1]]
0 ok [["r","x",[1]],["append","x",1]]
)"},
        Case{"duplicate-elements", "list-append", "read-uncommitted", "", R"(0 invoke [["append","x",1],["r","x",null]]
0 ok [["append","x",1],["r","x",[1,1]]]
)"},
        Case{"cyclic-versions", "rw-register", "read-uncommitted", "", R"(0 invoke [["r","x",null],["w","x",1]]
1 invoke [["r","x",null],["w","x",2]]
0 ok [["r","x",2],["w","x",1]]
1 ok [["r","x",1],["w","x",2]]
)"},
        Case{"garbage-read", "rw-register", "read-uncommitted", "", R"(0 invoke [["r","x",null]]
0 ok [["r","x",7]]
)"},
        Case{"G0-process", "list-append", "strong-session-read-uncommitted", "serializable",
             R"(0 invoke [["append","x",1]]
0 ok [["append","x",1]]
0 invoke [["append","x",2]]
0 ok [["append","x",2]]
1 invoke [["r","x",null]]
1 ok [["r","x",[2,1]]]
)"},
        Case{"G0-realtime", "list-append", "strong-read-uncommitted", "strong-session-serializable",
             R"(0 invoke [["append","x",1]]
0 ok [["append","x",1]]
1 invoke [["append","x",2]]
1 ok [["append","x",2]]
2 invoke [["r","x",null]]
2 ok [["r","x",[2,1]]]
)"},
        Case{"G1c-process", "list-append", "strong-session-read-committed", "serializable", R"(0 invoke [["r","x",null]]
0 ok [["r","x",[1]]]
0 invoke [["append","x",1]]
0 ok [["append","x",1]]
)"},
        Case{"G1c-realtime", "list-append", "strong-read-committed", "strong-session-serializable",
             R"(0 invoke [["r","x",null]]
0 ok [["r","x",[1]]]
1 invoke [["append","x",1]]
1 ok [["append","x",1]]
)"},
        Case{"non-monotonic-read", "list-append", "monotonic-atomic-view", "read-committed",
             R"(0 invoke [["append","x",1],["append","y",1]]
1 invoke [["r","y",null],["r","x",null]]
0 ok [["append","x",1],["append","y",1]]
1 ok [["r","y",[1]],["r","x",[]]]
)"},
        Case{"session-violation", "list-append", "pram", "read-atomic", R"(0 invoke [["append","x",1]]
0 ok [["append","x",1]]
0 invoke [["append","y",1]]
1 invoke [["r","y",null]]
0 ok [["append","y",1]]
1 ok [["r","y",[1]]]
1 invoke [["r","x",null]]
1 ok [["r","x",[]]]
)"},
        Case{"causality-violation", "list-append", "causal", "pram", R"(0 invoke [["append","x",1]]
1 invoke [["r","x",null],["append","y",1]]
2 invoke [["r","y",null],["r","x",null]]
0 ok [["append","x",1]]
1 ok [["r","x",[1]],["append","y",1]]
2 ok [["r","y",[1]],["r","x",[]]]
)"},
        Case{"G-prefix", "list-append", "prefix", "causal", R"(0 invoke [["append","x",1]]
1 invoke [["append","y",1]]
2 invoke [["r","x",null],["r","y",null]]
3 invoke [["r","x",null],["r","y",null]]
0 ok [["append","x",1]]
1 ok [["append","y",1]]
2 ok [["r","x",[1]],["r","y",[]]]
3 ok [["r","x",[]],["r","y",[1]]]
)"},
        Case{"fractured-read", "rw-register", "read-atomic", "read-committed-axiomatic",
             R"(0 invoke [["w","x",1],["w","y",1]]
1 invoke [["r","x",null],["r","y",null]]
0 ok [["w","x",1],["w","y",1]]
1 ok [["r","x",null],["r","y",1]]
)"},
        Case{"no-view-order", "rw-register", "consistent-view", "cursor-stability",
             R"(0 invoke [["w","x",1],["w","z",1]]
1 invoke [["w","x",2],["w","y",2]]
0 ok [["w","x",1],["w","z",1]]
1 ok [["w","x",2],["w","y",2]]
2 invoke [["r","x",null],["r","y",null]]
3 invoke [["r","x",null],["r","z",null]]
2 ok [["r","x",1],["r","y",2]]
3 ok [["r","x",2],["r","z",1]]
)"},
        Case{"no-update-serial-order", "rw-register", "update-serializable", "snapshot-isolation",
             R"(0 invoke [["w","x",1],["r","m",null]]
1 invoke [["w","x",2],["r","k",null]]
2 invoke [["r","x",null],["w","k",1]]
3 invoke [["r","x",null],["w","m",1]]
0 ok [["w","x",1],["r","m",null]]
1 ok [["w","x",2],["r","k",null]]
2 ok [["r","x",1],["w","k",1]]
3 ok [["r","x",2],["w","m",1]]
)"},
        // One order of 1 and 2 is a circle with one reader, the other one with one anti-dependency over two readers: no
        // order is neither.
        Case{"no-update-serial-order-realtime", "rw-register", "strong-update-serializable", "strong-consistent-view",
             R"(1 invoke [["w","x",1]]
1 info [["w","x",1]]
0 invoke [["r","y",null],["w","x",2]]
2 invoke [["w","y",3]]
2 ok [["w","y",3]]
3 invoke [["r","x",null]]
3 ok [["r","x",1]]
0 ok [["r","y",null],["w","x",2]]
3 invoke [["r","x",null]]
3 ok [["r","x",2]]
)"},
        // Appends that nobody saw have an order all the same: an update is the first of them.
        Case{"no-update-order", "list-append", "cursor-stability", "read-committed",
             R"(0 invoke [["r","x",null],["append","x",2],["r","y",null]]
1 invoke [["append","x",3],["append","y",4]]
0 ok [["r","x",[]],["append","x",2],["r","y",[4]]]
1 ok [["append","x",3],["append","y",4]]
)"},
        Case{"no-update-order-realtime", "list-append", "strong-cursor-stability", "strong-session-cursor-stability",
             R"(0 invoke [["append","x",1]]
0 ok [["append","x",1]]
1 invoke [["r","x",null],["append","x",2]]
1 ok [["r","x",[]],["append","x",2]]
)"},
        // Read uncommitted may show what a crashed transaction did before it was rolled back.
        Case{"G1c", "list-append", "read-committed", "strong-read-uncommitted",
             R"(0 invoke [["append","x",1],["append","y",2]]
1 invoke [["append","x",3],["append","y",4]]
0 info [["append","x",1],["append","y",2]]
1 ok [["append","x",3],["append","y",4]]
2 invoke [["r","x",null],["r","y",null]]
2 ok [["r","x",[1,3]],["r","y",[4,2]]]
)"},
        // ... but what was below it and what is on top of it keep their order.
        Case{"G0-process", "list-append", "strong-session-read-uncommitted", "read-uncommitted",
             R"(0 invoke [["append","x",1]]
0 ok [["append","x",1]]
1 invoke [["append","x",2]]
1 info [["append","x",2]]
0 invoke [["append","x",3]]
0 ok [["append","x",3]]
2 invoke [["r","x",null]]
2 ok [["r","x",[3,2,1]]]
)"},
        // A crashed transaction that was seen is part of its session.
        Case{"session-violation", "list-append", "pram", "read-atomic", R"(0 invoke [["append","y",1]]
0 ok [["append","y",1]]
0 invoke [["append","x",2]]
1 invoke [["r","x",null],["r","y",null]]
1 ok [["r","x",[2]],["r","y",[]]]
0 info [["append","x",2]]
)"},
        // Repeatable read allows no circle of items, also one whose anti-dependencies are apart.
        Case{"G-nonadjacent", "list-append", "repeatable-read", "consistent-view", R"(0 invoke [["append","x",1]]
1 invoke [["append","y",1]]
2 invoke [["r","x",null],["r","y",null]]
3 invoke [["r","x",null],["r","y",null]]
0 ok [["append","x",1]]
1 ok [["append","y",1]]
2 ok [["r","x",[1]],["r","y",[]]]
3 ok [["r","x",[]],["r","y",[1]]]
)"}));

// All three updates of T5's 7 come after it, also the third, which T5 read: a circle of versions.
TEST(Transactional, AThirdUpdateOfAVersionIsLaterToo) {
  const CheckResult result = check(written(R"(0 invoke [["r","x",null],["w","x",1]]
1 invoke [["r","x",null],["w","x",2]]
2 invoke [["r","x",null],["w","x",3]]
3 invoke [["r","x",null],["w","x",7]]
0 ok [["r","x",7],["w","x",1]]
1 ok [["r","x",7],["w","x",2]]
2 ok [["r","x",7],["w","x",3]]
3 ok [["r","x",3],["w","x",7]]
)"),
                                   "rw-register", "read-uncommitted");
  EXPECT_EQ(result.verdict, Verdict::invalid);
}

// A circle through time goes over nobody who merely stands between.
TEST(Cycles, TimeLeadsAsFarAsItCan) {
  std::string text = "0 invoke [[\"append\",\"x\",1]]\n0 ok [[\"append\",\"x\",1]]\n";
  for (int i = 0; i < 5; ++i) {
    const std::string process = std::to_string(i + 10), value = std::to_string(i);
    text +=
        process + " invoke [[\"append\",\"y\"," + value + "]]\n" + process + " ok [[\"append\",\"y\"," + value + "]]\n";
  }
  text +=
      "1 invoke [[\"append\",\"x\",2]]\n1 ok [[\"append\",\"x\",2]]\n2 invoke "
      "[[\"r\",\"x\",null],[\"r\",\"y\",null]]\n2 ok [[\"r\",\"x\",[2,1]],[\"r\",\"y\",[0,1,2,3,4]]]\n";
  const CheckResult result = check(written(text), "list-append", "strict-serializable");
  ASSERT_EQ(result.anomalies.size(), 1u);
  EXPECT_EQ(result.anomalies[0].type, "G0-realtime");
  EXPECT_EQ(result.anomalies[0].operations.size(), 3u);  // with the read that shows the order of the appends
}

TEST(Transactional, CountsWhatNobodySaw) {
  const auto unobserved = [](const char* model, const char* text) {
    const CheckResult result = check(written(text), model, "serializable");
    EXPECT_EQ(result.verdict, Verdict::valid) << result.reason;
    return result.details.find("unobserved")->to_json();
  };
  EXPECT_EQ(unobserved("list-append", R"(0 invoke [["append","x",1],["append","y",1],["append","y",2]]
0 ok [["append","x",1],["append","y",1],["append","y",2]]
1 invoke [["append","y",3]]
1 info [["append","y",3]]
2 invoke [["r","x",null]]
2 ok [["r","x",[1]]]
)"),
            "2");
  EXPECT_EQ(unobserved("rw-register", R"(0 invoke [["w","x",1],["w","y",1]]
0 ok [["w","x",1],["w","y",1]]
1 invoke [["w","y",3]]
1 info [["w","y",3]]
2 invoke [["r","x",null]]
2 ok [["r","x",1]]
)"),
            "1");
}

// Everything the checker names has a case above or below, or needs too much of a history to be one.
TEST(Transactional, EveryLevelImpliesTheWeakerFormsOfItself) {
  const auto names = transactional_levels();
  for (const std::string base :
       {"read-uncommitted", "read-committed", "monotonic-atomic-view", "cursor-stability", "read-atomic", "pram",
        "causal", "prefix", "consistent-view", "update-serializable", "parallel-snapshot-isolation",
        "snapshot-isolation", "repeatable-read", "serializable"}) {
    for (const std::string form : {"", "strong-session-", "strong-"}) EXPECT_THAT(names, Contains(form + base));
  }
}

History with_orders_broken() {
  // 1 is overwritten by 2, which another process saw, before 1 is read again.
  return written(R"(0 invoke [["w","x",1]]
0 ok [["w","x",1]]
0 invoke [["w","x",2]]
0 ok [["w","x",2]]
1 invoke [["r","x",null]]
1 ok [["r","x",2]]
1 invoke [["r","x",null]]
1 ok [["r","x",1]]
)");
}

TEST(VersionOrders, AreTakenForGrantedWhereAsked) {
  const History history = with_orders_broken();
  CheckOptions options;
  options.model = "rw-register";
  options.consistency = "serializable";
  EXPECT_EQ(transactional_checker()->check(history, options).verdict, Verdict::valid);
  for (const char* orders : {"sequential", "linearizable", "wfr,sequential,linearizable"}) {
    options.extra.set("transactional.version-orders", orders);
    const CheckResult result = transactional_checker()->check(history, options);
    EXPECT_EQ(result.verdict, Verdict::invalid) << result.reason;
    EXPECT_THAT(result.anomalies, Contains(Field(&Anomaly::type, "cyclic-versions")));
  }
  options.extra.set("transactional.version-orders", "wfr,initial");
  EXPECT_EQ(transactional_checker()->check(history, options).verdict, Verdict::valid);
  options.extra.set("transactional.version-orders", "alphabetical");
  EXPECT_THAT(transactional_checker()->check(history, options).reason, HasSubstr("linearizable"));
}

// Only real time can break this: T2 saw an old version after a newer one was written, by another process.
TEST(VersionOrders, LinearizableIsMoreThanSequential) {
  const History history = written(R"(0 invoke [["w","x",1]]
0 ok [["w","x",1]]
1 invoke [["w","x",2]]
1 ok [["w","x",2]]
2 invoke [["r","x",null],["w","y",1]]
2 ok [["r","x",1],["w","y",1]]
)");
  CheckOptions options;
  options.model = "rw-register";
  options.consistency = "serializable";
  options.extra.set("transactional.version-orders", "sequential");
  EXPECT_EQ(transactional_checker()->check(history, options).verdict, Verdict::valid);
  options.extra.set("transactional.version-orders", "linearizable");
  const CheckResult result = transactional_checker()->check(history, options);
  EXPECT_EQ(result.verdict, Verdict::invalid) << result.reason;
}

TEST(NoOrder, IsShownByTheSmallestPart) {
  // Two readers disagree on the order of T0 and T2; everything else is beside the point.
  std::string text = R"(0 invoke [["w","x",1],["w","y",1]]
1 invoke [["w","x",2],["w","y",2]]
0 ok [["w","x",1],["w","y",1]]
1 ok [["w","x",2],["w","y",2]]
2 invoke [["r","x",null],["r","y",null]]
3 invoke [["r","x",null],["r","y",null]]
2 ok [["r","x",1],["r","y",2]]
3 ok [["r","x",2],["r","y",1]]
)";
  for (int i = 10; i < 40; ++i) {
    const std::string client = std::to_string(i % 5 + 10), value = std::to_string(i);
    text += client + " invoke [[\"w\",\"z\"," + value + "],[\"r\",\"x\",null]]\n" + client + " ok [[\"w\",\"z\"," +
            value + "],[\"r\",\"x\",1]]\n";
  }
  const CheckResult result = check(written(text), "rw-register", "serializable");
  ASSERT_EQ(result.verdict, Verdict::invalid) << result.reason;
  const auto found = std::find_if(result.anomalies.begin(), result.anomalies.end(),
                                  [](const Anomaly& one) { return one.type == "no-serial-order"; });
  ASSERT_NE(found, result.anomalies.end());
  EXPECT_LE(found->operations.size(), 4u);
  EXPECT_GE(found->sentences.size(), 5u);
  EXPECT_FALSE(found->graph.edges.empty());
}

TEST(Bounds, AreUnknownWithTheReason) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    const std::string n = std::to_string(i), client = std::to_string(i % 9);
    text += client + " invoke [[\"append\",\"x\"," + n + "]]\n" + client + " ok [[\"append\",\"x\"," + n + "]]\n";
  }
  const History history = written(text);
  CheckOptions options;
  options.model = "list-append";
  options.memory_bytes = 1000;
  CheckResult result = transactional_checker()->check(history, options);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_THAT(result.reason, HasSubstr("memory limit"));
  std::stop_source stop;
  stop.request_stop();
  options.memory_bytes = 0;
  options.stop = stop.get_token();
  result = transactional_checker()->check(history, options);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_THAT(result.reason, HasSubstr("stopped"));
}

// Every phase looks at the clock: whatever little time there is, the answer is one of these.
TEST(Bounds, TimeEndsEveryPhase) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    const std::string n = std::to_string(i), client = std::to_string(i % 9);
    text += client + " invoke [[\"w\",\"x\"," + n + "]]\n" + client + " ok [[\"w\",\"x\"," + n + "]]\n";
  }
  const History history = written(text);
  CheckOptions options;
  options.model = "rw-register";
  for (const int milliseconds : {1, 5, 20, 50}) {
    options.timeout = std::chrono::milliseconds(milliseconds);
    const auto start = std::chrono::steady_clock::now();
    const CheckResult result = transactional_checker()->check(history, options);
    if (result.verdict == Verdict::valid) break;
    EXPECT_EQ(result.verdict, Verdict::unknown);
    EXPECT_THAT(result.reason, HasSubstr("the time limit was reached while "));
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  }
  options.timeout = std::chrono::milliseconds(1);
  EXPECT_EQ(transactional_checker()->check(history, options).verdict, Verdict::unknown);
}

// Every anomaly tells its transactions, and draws them with close neighbours.
TEST(Explanation, AFindingIsToldAndDrawn) {
  const CheckResult result = check(written("0 invoke [[\"append\",\"x\",1]]\n0 ok [[\"append\",\"x\",1]]\n"
                                           "1 invoke [[\"append\",\"x\",2]]\n1 fail [[\"append\",\"x\",2]]\n"
                                           "2 invoke [[\"r\",\"x\",null]]\n2 ok [[\"r\",\"x\",[1,2]]]\n"),
                                   "list-append", "read-committed");
  ASSERT_EQ(result.verdict, Verdict::invalid) << result.reason;
  const Anomaly& anomaly = result.anomalies.front();
  EXPECT_EQ(anomaly.type, "G1a");
  ASSERT_EQ(anomaly.sentences.size(), 3u);
  EXPECT_THAT(anomaly.sentences[0], HasSubstr("T2 = [append \"x\" 2] by process 1"));
  EXPECT_THAT(anomaly.sentences[1], HasSubstr("T4 = [r \"x\" [1,2]] by process 2"));
  ASSERT_EQ(anomaly.graph.nodes.size(), 3u);
  EXPECT_FALSE(anomaly.graph.nodes[1].near);
  EXPECT_TRUE(anomaly.graph.nodes[2].near);  // T0, from which T4 read, too
  ASSERT_EQ(anomaly.graph.edges.size(), 1u);
  EXPECT_EQ(anomaly.graph.edges[0].kind, "wr");
  EXPECT_TRUE(anomaly.graph.edges[0].near);
}

TEST(Explanation, ACycleIsDrawnWithItsNeighbours) {
  std::string text;
  const auto done = [&](const std::string& process, const std::string& asked, const std::string& seen) {
    text += process + " invoke " + asked + "\n" + process + " ok " + seen + "\n";
  };
  done("0", "[[\"append\",\"x\",1]]", "[[\"append\",\"x\",1]]");
  for (int i = 0; i < 9; ++i) done("3", "[[\"r\",\"x\",null]]", "[[\"r\",\"x\",[1]]]");
  done("1", "[[\"append\",\"x\",2]]", "[[\"append\",\"x\",2]]");
  done("2", "[[\"r\",\"x\",null]]", "[[\"r\",\"x\",[1]]]");
  done("4", "[[\"r\",\"x\",null]]", "[[\"r\",\"x\",[1,2]]]");
  const CheckResult result = check(written(text), "list-append", "strict-serializable");
  ASSERT_EQ(result.verdict, Verdict::invalid) << result.reason;
  const AnomalyGraph& graph = result.anomalies.front().graph;
  const auto near = std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const auto& node) { return node.near; });
  EXPECT_EQ(graph.nodes.size() - static_cast<std::size_t>(near), 2u);
  EXPECT_GE(near, 2);
  EXPECT_LE(near, 6);
  for (const auto& edge : graph.edges) {
    EXPECT_EQ(edge.near, graph.nodes[edge.from].near || graph.nodes[edge.to].near) << edge.kind << " " << edge.label;
  }
}

// A ring of transactions, each of which missed what the next one wrote: one component, and no shorter cycle than all of
// them.
TEST(Cycles, ALongOneIsFoundAndToldInPart) {
  constexpr int kRing = 3000;
  std::string text;
  for (const bool done : {false, true}) {
    for (int i = 0; i < kRing; ++i) {
      const std::string mine = std::to_string(i), next = std::to_string((i + 1) % kRing);
      text += mine + (done ? " ok " : " invoke ") + "[[\"r\"," + mine + (done ? ",[]]" : ",null]") + ",[\"append\"," +
              next + "," + mine + "]]\n";
    }
  }
  const CheckResult result = check(written(text), "list-append", "serializable");
  ASSERT_EQ(result.verdict, Verdict::invalid) << result.reason;
  ASSERT_EQ(result.anomalies.size(), 1u);
  EXPECT_EQ(result.anomalies[0].type, "G2-item");
  EXPECT_EQ(result.anomalies[0].operations.size(), static_cast<std::size_t>(kRing));
  EXPECT_LT(result.anomalies[0].sentences.size(), 80u);
  EXPECT_LT(result.anomalies[0].explanation.size(), 2000u);
  EXPECT_EQ(check(written(text), "list-append", "snapshot-isolation").verdict, Verdict::valid);
}

// Components are named one by one: a read skew in one does not hide the write skew in another.
TEST(Cycles, EachComponentIsNamed) {
  const CheckResult result = check(written(R"(0 invoke [["append","x",1],["append","y",1]]
1 invoke [["r","x",null],["r","y",null]]
0 ok [["append","x",1],["append","y",1]]
1 ok [["r","x",[]],["r","y",[1]]]
2 invoke [["r","a",null],["append","b",1]]
3 invoke [["r","b",null],["append","a",1]]
2 ok [["r","a",[]],["append","b",1]]
3 ok [["r","b",[]],["append","a",1]]
)"),
                                   "list-append", "serializable");
  EXPECT_THAT(result.anomalies, Contains(Field(&Anomaly::type, "G-single")));
  EXPECT_THAT(result.anomalies, Contains(Field(&Anomaly::type, "G2-item")));
}

TEST(Transactional, WhatIsNotUnderstoodIsUnknown) {
  EXPECT_EQ(
      check(written("0 invoke [[\"w\",\"x\",1]]\n0 ok [[\"w\",\"x\",1]]\n"), "list-append", "serializable").verdict,
      Verdict::unknown);
  EXPECT_EQ(check(written("0 invoke [[\"append\",\"x\",1]]\n0 ok [[\"append\",\"x\",1]]\n1 invoke "
                          "[[\"append\",\"x\",1]]\n1 ok [[\"append\",\"x\",1]]\n"),
                  "list-append", "serializable")
                .verdict,
            Verdict::unknown);
  EXPECT_EQ(
      check(written("0 invoke [[\"append\",\"x\",1]]\n0 fail [[\"append\",\"x\",1]]\n"), "list-append", "serializable")
          .verdict,
      Verdict::unknown);
  EXPECT_THAT(check(written("0 invoke []\n0 ok []\n"), "list-append", "serialisable").reason,
              HasSubstr("serializable"));
}

}  // namespace
}  // namespace ordeal
