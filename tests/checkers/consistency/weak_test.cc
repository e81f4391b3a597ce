// The weak levels against the oracle on random small histories, and on the shared adversarial ones; and what an anomaly
// names, alone, against the oracle. ORDEAL_HEAVY=N: N times as many.

#include "checkers/consistency/weak.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "checkers/consistency/sequential.h"
#include "checkers/history/reader.h"
#include "checkers/linearizability/checker.h"
#include "oracle.h"
#include "support/environment.h"
#include "support/histories.h"

namespace ordeal {
namespace {

CheckResult judged(const History& history, const std::string& level, const std::string& model = "register") {
  CheckOptions options;
  options.model = model;
  options.consistency = level;
  options.initial = Value(0);
  return (level == "sequential" ? sequential_checker() : weak_checker(level))->check(history, options);
}

// Operations that happen one after another get consecutive times; overlapping ones come with their own.
std::string as_lines(const std::vector<oracle::Op>& ops) {
  std::vector<std::pair<int, std::string>> lines;
  for (const oracle::Op& op : ops) {
    const char* f = op.kind == 'r' ? "read" : op.kind == 'w' ? "write" : "cas";
    const std::string value = op.kind == 'c' ? "[" + std::to_string(op.value) + "," + std::to_string(op.next) + "]"
                                             : std::to_string(op.value);
    for (const bool start : {true, false}) {
      lines.emplace_back(start ? op.inv : op.ret, std::string("{\"process\":") + std::to_string(op.process) +
                                                      ",\"type\":\"" +
                                                      (start        ? "invoke"
                                                       : op.crashed ? "info"
                                                                    : "ok") +
                                                      "\",\"f\":\"" + f + "\",\"key\":" + std::to_string(op.key) +
                                                      ",\"value\":" + value + "}\n");
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const auto& [time, line] : lines) out += line;
  return out;
}

// A crashed cas of a value to itself was left out, though a read may have seen its write.
TEST(RegressCrashed, CasOfAValueToItselfMayBeSeen) {
  const auto read = read_history(R"({"process":1,"type":"invoke","f":"cas","value":[1,1]}
{"process":0,"type":"invoke","f":"write","value":1}
{"process":0,"type":"ok","f":"write","value":1}
{"process":0,"type":"invoke","f":"write","value":2}
{"process":0,"type":"ok","f":"write","value":2}
{"process":0,"type":"invoke","f":"read","value":null}
{"process":0,"type":"ok","f":"read","value":1}
{"process":1,"type":"info","f":"cas","value":[1,1]}
)",
                                 "test");
  ASSERT_TRUE(read);
  for (const char* level : {"causal-ccv", "causal-cc", "causal-cm", "pram"})
    EXPECT_EQ(judged(read->history, level, "cas-register").verdict, Verdict::valid) << level;
}

// The write that a read missed was not among the operations named when its process had done it between others: they
// alone broke nothing.
TEST(RegressProofs, NameTheWriteInBetween) {
  const auto read = read_history(R"({"process":2,"type":"invoke","f":"write","value":1}
{"process":2,"type":"ok","f":"write","value":1}
{"process":0,"type":"invoke","f":"read","value":null}
{"process":0,"type":"ok","f":"read","value":1}
{"process":0,"type":"invoke","f":"write","value":4}
{"process":0,"type":"ok","f":"write","value":4}
{"process":0,"type":"invoke","f":"read","value":null}
{"process":0,"type":"ok","f":"read","value":1}
)",
                                 "test");
  ASSERT_TRUE(read);
  const CheckResult result = judged(read->history, "causal-cc");
  ASSERT_EQ(result.verdict, Verdict::invalid);
  EXPECT_EQ(std::count(result.anomalies[0].operations.begin(), result.anomalies[0].operations.end(), 4u), 1);
}

// Each way to say who read from whom fails for a reason of its own; only that of the last one was named, which let the
// read of event 4 see its own process's write. Found by random histories.
TEST(RegressProofs, RefuteEachWayOfRepeatedValues) {
  const auto read = read_history(
      R"({"process":2,"type":"invoke","f":"read","key":0,"value":2}
{"process":2,"type":"ok","f":"read","key":0,"value":2}
{"process":2,"type":"invoke","f":"write","key":0,"value":2}
{"process":2,"type":"ok","f":"write","key":0,"value":2}
{"process":2,"type":"invoke","f":"read","key":0,"value":2}
{"process":2,"type":"ok","f":"read","key":0,"value":2}
{"process":0,"type":"invoke","f":"read","key":0,"value":2}
{"process":2,"type":"invoke","f":"write","key":0,"value":1}
{"process":0,"type":"ok","f":"read","key":0,"value":2}
{"process":0,"type":"invoke","f":"write","key":0,"value":2}
{"process":0,"type":"ok","f":"write","key":0,"value":2}
{"process":2,"type":"ok","f":"write","key":0,"value":1}
)",
      "random");
  ASSERT_TRUE(read) << read.error().message;
  for (const char* level : {"causal-cc", "causal-ccv", "causal-cm"}) {
    const CheckResult result = judged(read->history, level, "register");
    ASSERT_EQ(result.verdict, Verdict::invalid) << level;
    ASSERT_EQ(result.anomalies.size(), 1U);
    // Two writes of 2, each by a process that had read 2 before: whose?
    EXPECT_THAT(result.anomalies[0].operations, testing::ElementsAre(0U, 2U, 6U, 9U)) << level;
    EXPECT_THAT(result.anomalies[0].explanation, testing::StartsWith("no way to say which write each read saw fits"));
  }
}

// Two crashed compare-and-sets that saw each other were named as each other's witnesses; that they took effect at all
// is shown by a third, whose value was read.
TEST(RegressProofs, NameWhoShowsThatACircleTookEffect) {
  const auto read = read_history(R"({"process":0,"type":"invoke","f":"cas","value":[2,1]}
{"process":10,"type":"invoke","f":"cas","value":[1,2]}
{"process":0,"type":"info","f":"cas","value":[2,1]}
{"process":20,"type":"invoke","f":"read","value":null}
{"process":10,"type":"info","f":"cas","value":[1,2]}
{"process":1,"type":"invoke","f":"cas","value":[2,4]}
{"process":1,"type":"info","f":"cas","value":[2,4]}
{"process":20,"type":"ok","f":"read","value":4}
)",
                                 "test");
  ASSERT_TRUE(read);
  for (const char* level : {"causal-cc", "causal-ccv", "causal-cm", "writes-follow-reads"}) {
    const CheckResult result = judged(read->history, level, "cas-register");
    ASSERT_EQ(result.verdict, Verdict::invalid) << level;
    EXPECT_EQ(result.anomalies[0].operations, (std::vector<EventIndex>{0, 1, 3, 5})) << level;
  }
}

struct Shape {
  int operations = 6;
  int processes = 3;
  int keys = 2;
  bool unique = true;
  bool cas = false;
  bool crashes = false;
};

std::vector<oracle::Op> random_history(std::mt19937& random, const Shape& shape) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::vector<oracle::Op> ops(static_cast<std::size_t>(shape.operations));
  std::vector<std::vector<int>> values(static_cast<std::size_t>(shape.keys), {0});
  int fresh = 1;
  for (oracle::Op& op : ops) {
    op.process = below(shape.processes);
    op.key = below(shape.keys);
    const int kind = below(shape.cas ? 5 : 4);
    op.kind = kind < 2 ? 'r' : kind < 4 ? 'w' : 'c';
    const int value = shape.unique ? fresh++ : 1 + below(2);
    if (op.kind == 'w') op.value = value;
    if (op.kind == 'c') op.next = value;
    if (op.writes()) values[static_cast<std::size_t>(op.key)].push_back(value);
  }
  for (oracle::Op& op : ops) {
    const auto& known = values[static_cast<std::size_t>(op.key)];
    if (op.reads()) op.value = known[static_cast<std::size_t>(below(static_cast<int>(known.size())))];
    if (op.kind == 'c' && op.value == op.next) op.value = 0;
  }
  // A process ends with a crashed operation; its successor has another number.
  std::map<int, int> renamed;
  for (oracle::Op& op : ops) {
    const int slot = op.process;
    op.process += 10 * renamed[slot];
    op.crashed = shape.crashes && op.writes() && below(2) == 0;
    if (op.crashed) ++renamed[slot];
  }
  // Times: a random interleaving of the processes, with random overlap.
  int now = 0;
  std::map<int, int> open;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (const auto found = open.find(ops[i].process); found != open.end()) {
      ops[static_cast<std::size_t>(found->second)].ret = now++;
      open.erase(found);
    }
    ops[i].inv = now++;
    open[ops[i].process] = static_cast<int>(i);
    for (auto at = open.begin(); at != open.end();) {
      if (below(2) == 0) {
        ops[static_cast<std::size_t>(at->second)].ret = now++;
        at = open.erase(at);
      } else {
        ++at;
      }
    }
  }
  for (const auto& [process, at] : open) ops[static_cast<std::size_t>(at)].ret = now++;
  return ops;
}

bool shows_nothing(const std::vector<oracle::Op>& ops) {
  return std::all_of(ops.begin(), ops.end(), [](const oracle::Op& op) { return op.crashed || op.kind == 'w'; });
}

// The operations that an anomaly names; events are numbered in the order of their times.
std::vector<oracle::Op> named_ops(const std::vector<oracle::Op>& ops, const Anomaly& anomaly) {
  std::vector<int> times;
  for (const oracle::Op& op : ops) times.insert(times.end(), {op.inv, op.ret});
  std::sort(times.begin(), times.end());
  std::vector<oracle::Op> out;
  for (const oracle::Op& op : ops) {
    const auto event = static_cast<EventIndex>(std::lower_bound(times.begin(), times.end(), op.inv) - times.begin());
    if (std::count(anomaly.operations.begin(), anomaly.operations.end(), event) != 0) out.push_back(op);
  }
  return out;
}

void compare(const std::string& level, const Shape& shape, int rounds, unsigned seed) {
  const std::uint64_t others = 1'000 * (testing_support::environment_number("ORDEAL_SEED", 1) - 1);
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed + others));
  int valid = 0, failed = 0;
  rounds *= static_cast<int>(testing_support::heavy());
  testing_support::count_histories(static_cast<std::size_t>(rounds));
  for (int round = 0; round < rounds; ++round) {
    const auto ops = random_history(random, shape);
    if (shows_nothing(ops)) continue;  // nothing was observed: `unknown`
    const std::string text = as_lines(ops);
    const auto read = read_history(text, "random");
    ASSERT_TRUE(read) << read.error().message << "\n" << text;
    const CheckResult result = judged(read->history, level, shape.cas ? "cas-register" : "register");
    const bool expected = oracle::holds(level, ops);
    valid += expected ? 1 : 0;
    ASSERT_EQ(name(result.verdict), expected ? "valid" : "invalid")
        << level << " round " << round << " " << result.reason << "\n"
        << text;
    if (!expected) {
      ASSERT_EQ(result.anomalies.size(), 1u);
      EXPECT_FALSE(result.anomalies[0].sentences.empty());
      EXPECT_FALSE(result.anomalies[0].graph.nodes.empty());
      // What it names, alone, proves it.
      const std::vector<oracle::Op> part = named_ops(ops, result.anomalies[0]);
      ASSERT_EQ(part.size(), result.anomalies[0].operations.size());
      if (oracle::holds(level, part) && ++failed < 4) {
        ADD_FAILURE() << level << " " << result.anomalies[0].type << " is not proved by\n"
                      << as_lines(part) << result.anomalies[0].explanation << "\nof\n"
                      << text;
      }
    }
  }
  EXPECT_EQ(failed, 0);
  // Both verdicts must have been put to the test.
  EXPECT_GT(valid, rounds / 50);
  EXPECT_LT(valid, rounds - rounds / 50);
}

bool knows_cas(const std::string& name) {
  if (name == "sequential") return true;
  for (const WeakLevel& level : weak_levels()) {
    if (level.name == name) return level.cas;
  }
  return false;
}
bool needs_unique_values(const std::string& level) {
  return level.find("-reads") != level.npos || level.find("-writes") != level.npos;
}

class AgainstOracle : public testing::TestWithParam<std::string> {};

TEST_P(AgainstOracle, UniqueValuesTwoKeys) { compare(GetParam(), {6, 3, 2, true, false}, 1500, 1); }
TEST_P(AgainstOracle, UniqueValuesOneKey) { compare(GetParam(), {6, 2, 1, true, false}, 1000, 2); }
TEST_P(AgainstOracle, UniqueValuesTwoProcesses) { compare(GetParam(), {7, 2, 2, true, false}, 300, 3); }
TEST_P(AgainstOracle, CrashedWrites) { compare(GetParam(), {6, 3, 2, true, false, true}, 1000, 6); }
TEST_P(AgainstOracle, CrashedWritesOneKey) { compare(GetParam(), {6, 2, 1, true, false, true}, 1000, 7); }

// The oracle knows the versions of unique values only, which some levels are about.
class RepeatedValuesAgainstOracle : public testing::TestWithParam<std::string> {};
TEST_P(RepeatedValuesAgainstOracle, AsMuch) { compare(GetParam(), {6, 3, 2, false, false}, 500, 4); }

class CasAgainstOracle : public testing::TestWithParam<std::string> {};
TEST_P(CasAgainstOracle, Crashed) { compare(GetParam(), {5, 3, 1, true, true, true}, 700, 8); }
TEST_P(CasAgainstOracle, Completed) { compare(GetParam(), {5, 3, 1, true, true}, 1000, 5); }

std::vector<std::string> oracle_levels() {
  return {"causal-cc",       "causal-ccv",       "causal-cm",           "pram",      "read-your-writes",
          "monotonic-reads", "monotonic-writes", "writes-follow-reads", "regular",   "safe",
          "k-atomic-1",      "k-atomic-2",       "k-atomic-3",          "sequential"};
}
template <class Wanted>
std::vector<std::string> oracle_levels_that(Wanted wanted) {
  std::vector<std::string> out;
  for (const std::string& level : oracle_levels()) {
    if (wanted(level)) out.push_back(level);
  }
  return out;
}
std::string test_name(const testing::TestParamInfo<std::string>& one) {
  std::string out;
  for (const char c : one.param) out += c == '-' ? '_' : c;
  return out;
}
INSTANTIATE_TEST_SUITE_P(Levels, AgainstOracle, testing::ValuesIn(oracle_levels()), test_name);
INSTANTIATE_TEST_SUITE_P(
    Levels, RepeatedValuesAgainstOracle,
    testing::ValuesIn(oracle_levels_that([](const std::string& l) { return !needs_unique_values(l); })), test_name);
INSTANTIATE_TEST_SUITE_P(Levels, CasAgainstOracle, testing::ValuesIn(oracle_levels_that(knows_cas)), test_name);

History history_of(const std::string& text) {
  auto read = read_history(text, "test");
  EXPECT_TRUE(read) << read.error().message;
  return std::move(read->history);
}

// Values are repeated and there are too many reads to say which write each of them saw; but the history is
// linearizable.
TEST(LongHistories, OfRepeatedValuesAreDecided) {
  std::string text;
  const auto line = [&](const char* type, const char* f, int value) {
    text += std::string(R"({"process":0,"type":")") + type + R"(","f":")" + f + R"(","value":)" +
            std::to_string(value) + "}\n";
  };
  for (int i = 0; i < 600; ++i) {
    for (const char* f : {"write", "read"}) {
      line("invoke", f, i % 5);
      line("ok", f, i % 5);
    }
  }
  const History history = history_of(text);
  for (const WeakLevel& level : weak_levels()) {
    if (level.name == "eventual") continue;  // one process alone
    const CheckResult result = judged(history, level.name, "register");
    EXPECT_EQ(result.verdict, Verdict::valid) << level.name << ": " << result.reason;
  }
  EXPECT_EQ(judged(history, "k-atomic-2", "register").verdict, Verdict::valid);
}

// Processes that lag behind one store and see no write before those that came earlier: sequential, not linearizable.
// Their values are repeated, so that there are more ways to say which write each read saw than can be tried.
std::string lagging_registers(unsigned seed, int operations) {
  std::mt19937 random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::vector<std::pair<int, int>> store;  // key and value, in order
  std::vector<std::size_t> seen(4);        // of it, by process
  std::string text;
  for (int i = 0; i < operations; ++i) {
    const std::size_t process = below(seen.size());
    const int key = static_cast<int>(below(3));
    const bool write = below(2) == 0;
    int value = static_cast<int>(below(4));
    if (write) {
      store.emplace_back(key, value);
      seen[process] = store.size();
    } else {
      const std::size_t behind = store.size() - std::min(store.size(), std::size_t{20});
      const std::size_t from = std::max(seen[process], behind);
      seen[process] = from + below(store.size() - from + 1);
      value = 0;
      for (std::size_t at = 0; at < seen[process]; ++at) value = store[at].first == key ? store[at].second : value;
    }
    for (const char* type : {"invoke", "ok"}) {
      text += "{\"process\":" + std::to_string(process) + ",\"type\":\"" + type + "\",\"f\":\"" +
              (write ? "write" : "read") + "\",\"key\":" + std::to_string(key) + ",\"value\":" + std::to_string(value) +
              "}\n";
    }
  }
  return text;
}

// (20,000 ways were tried one after the other, and it was `unknown`.)
TEST(RegressRepeatedValues, WhatIsSequentialKeepsTheLevelsBelow) {
  int searched = 0;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    const History history = history_of(lagging_registers(seed, seed % 2 == 0 ? 200 : 600));
    for (const char* level : {"sequential", "causal-ccv", "causal-cm", "causal-cc", "pram", "monotonic-writes"}) {
      const CheckResult result = judged(history, level);
      EXPECT_EQ(result.verdict, Verdict::valid) << seed << " " << level << ": " << result.reason;
      searched += result.algorithm == "sequential" ? 1 : 0;
    }
  }
  EXPECT_GT(searched, 4);
}

// What weaker levels take over from it holds by their definitions.
TEST(RepeatedValues, AGlanceThatFindsAnOrderImpliesEveryLevelThatAsksIt) {
  std::mt19937 random(12);
  int found = 0;
  for (int round = 0; round < 1500; ++round) {
    const bool cas = round % 3 == 0;
    const auto ops = random_history(random, {6, 3, 2, false, cas, round % 2 == 0});
    if (shows_nothing(ops)) continue;
    const History history = history_of(as_lines(ops));
    CheckOptions options;
    options.model = cas ? "cas-register" : "register";
    options.initial = Value(0);
    const auto model = lin::make_model(history, options);
    ASSERT_TRUE(model);
    if (!sequential_at_a_glance(history, **model, options)) {
      EXPECT_FALSE(oracle::holds("sequential", ops)) << as_lines(ops);
      continue;
    }
    ++found;
    for (const char* level : {"sequential", "causal-ccv", "causal-cm", "causal-cc", "pram"})
      ASSERT_TRUE(oracle::holds(level, ops)) << level << "\n" << as_lines(ops);
  }
  EXPECT_GT(found, 200);
}

// The lattice of `strongest` must never contradict the oracle.
TEST(Strongest, AgreesWithTheOracleLevelByLevel) {
  std::mt19937 random(9);
  std::set<std::string> seen;
  for (int round = 0; round < 400; ++round) {
    const auto ops = random_history(random, {6, 3, 2, true, false, round % 2 == 0});
    if (shows_nothing(ops)) continue;
    const std::string text = as_lines(ops);
    const CheckResult result = judged(history_of(text), "strongest");
    for (const Value& one : result.details.find("undecided")->items()) {
      ASSERT_EQ(one.find("level")->string(), "eventual") << one.to_json() << "\n" << text;
    }
    const auto oracle_says = [&](const std::string& level) {
      return oracle::holds(level == "linearizable" ? "k-atomic-1" : level, ops);
    };
    for (const Value& level : result.details.find("holds")->items()) {
      if (level.string() == "eventual") continue;
      ASSERT_TRUE(oracle_says(level.string())) << level.string() << "\n" << text;
    }
    for (const Value& one : result.details.find("ruled_out")->items()) {
      const std::string level = one.find("level")->string();
      if (level == "eventual") continue;
      ASSERT_FALSE(oracle_says(level)) << level << "\n" << text;
      ASSERT_FALSE(one.find("explanation")->string().empty());
    }
    if (const Value* strongest = result.details.find("strongest"); strongest->is_string())
      seen.insert(strongest->string());
    // One meaning everywhere: the verdict is that on the strongest level there is.
    CheckOptions options;
    options.model = "register";
    options.initial = Value(0);
    EXPECT_EQ(result.verdict, linearizable_checker()->check(history_of(text), options).verdict) << text;
  }
  EXPECT_GT(seen.size(), 4u);
}

TEST(Words, AKeyIsNamed) {
  const auto of_key = read_history(R"({"process":0,"type":"invoke","f":"write","key":"x","value":1}
{"process":0,"type":"ok","f":"write","key":"x","value":1}
{"process":0,"type":"invoke","f":"read","key":"x"}
{"process":0,"type":"ok","f":"read","key":"x","value":9}
)",
                                   "test");
  ASSERT_TRUE(of_key);
  EXPECT_NE(judged(of_key->history, "regular").anomalies.front().explanation.find("x = "), std::string::npos)
      << "the key is named";
}

TEST(Staleness, IsMeasuredFromTheFirstCertainReplacement) {
  const std::string text =
      "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1,\"time\":0}\n"
      "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1,\"time\":1000000}\n"
      "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":2,\"time\":2000000}\n"
      "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":2,\"time\":3000000}\n"
      "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"value\":null,\"time\":10000000}\n"
      "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":1,\"time\":11000000}\n";
  const CheckResult result = judged(history_of(text), "causal-cc");
  EXPECT_EQ(result.verdict, Verdict::valid);
  ASSERT_NE(result.details.find("largest-staleness"), nullptr);
  EXPECT_DOUBLE_EQ(result.details.find("largest-staleness")->find("ms")->real(), 7.0);
}

// Whether a cas of unknown outcome read anything nobody knows.
TEST(Staleness, ACrashedOperationShowsNone) {
  const std::string text =
      "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1,\"time\":0}\n"
      "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1,\"time\":1000000}\n"
      "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":2,\"time\":2000000}\n"
      "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":2,\"time\":3000000}\n"
      "{\"process\":1,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[1,5],\"time\":10000000}\n"
      "{\"process\":2,\"type\":\"invoke\",\"f\":\"read\",\"value\":null,\"time\":10000001}\n"
      "{\"process\":2,\"type\":\"ok\",\"f\":\"read\",\"value\":2,\"time\":10000002}\n"
      "{\"process\":1,\"type\":\"info\",\"f\":\"cas\",\"value\":[1,5],\"time\":11000000}\n";
  const CheckResult result = judged(history_of(text), "causal-cc", "cas-register");
  EXPECT_EQ(result.verdict, Verdict::valid) << result.reason;
  EXPECT_EQ(result.details.find("largest-staleness"), nullptr);
}

// Of several the largest, and none where all is fresh.
TEST(Staleness, IsThatOfTheStalestRead) {
  // A write of 1, then one of 2 that ends at 3,000,000 ns; reads of one process that begin then, and what they return.
  const auto staleness = [](const std::vector<std::pair<int, int>>& reads) {
    std::string text;
    const auto line = [&](int process, const char* type, const char* f, int value, int time) {
      text += "{\"process\":" + std::to_string(process) + ",\"type\":\"" + type + "\",\"f\":\"" + f +
              "\",\"value\":" + (value < 0 ? "null" : std::to_string(value)) + ",\"time\":" + std::to_string(time) +
              "}\n";
    };
    for (const int value : {1, 2}) {
      line(0, "invoke", "write", value, value * 1'000'000);
      line(0, "ok", "write", value, value * 1'000'000 + 1'000'000);
    }
    int process = 1;
    for (const auto& [time, value] : reads) {
      line(process, "invoke", "read", -1, time);
      line(process++, "ok", "read", value, time);
    }
    const CheckResult result = judged(history_of(text), "causal-cc");
    EXPECT_EQ(result.verdict, Verdict::valid);
    const Value* found = result.details.find("largest-staleness");
    return found == nullptr ? -1.0 : found->find("ms")->real();
  };
  EXPECT_DOUBLE_EQ(staleness({{4'000'000, 1}, {9'000'000, 1}, {9'500'000, 2}}), 6.0);
  EXPECT_DOUBLE_EQ(staleness({{4'000'000, 2}, {9'000'000, 1}}), 6.0);
  EXPECT_DOUBLE_EQ(staleness({{9'000'000, 2}}), -1.0);
  EXPECT_DOUBLE_EQ(staleness({{3'000'001, 1}}), 0.000001);
}

TEST(Weak, AdversarialHistories) {
  const char* given = std::getenv("ORDEAL_SHARED_DATA");
  const std::filesystem::path folder =
      std::filesystem::path(given != nullptr ? given : ORDEAL_SHARED_DATA_DIR) / "adversarial";
  std::ifstream table(folder / "expected.tsv");
  if (!table) GTEST_SKIP() << "no shared histories at " << folder;
  int rows = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string file, model, property, verdict;
    fields >> file >> model >> property >> verdict;
    const auto checker = weak_checker(property);
    if (checker == nullptr) continue;
    ++rows;
    const auto read = read_history_file((folder / file).string());
    ASSERT_TRUE(read) << read.error().message;
    CheckOptions options;
    options.model = model;
    const CheckResult result = checker->check(read->history, options);
    EXPECT_EQ(name(result.verdict), verdict) << file << " at " << property << ": " << result.reason;
  }
  EXPECT_EQ(rows, 24);
}

}  // namespace
}  // namespace ordeal
