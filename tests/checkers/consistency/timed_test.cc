// The levels that time has to do with: eventual, eventual-T and bounded-staleness-T, against their definitions tried
// out on every possibility. ORDEAL_HEAVY=N: N times as many.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "checkers/consistency/weak.h"
#include "checkers/history/reader.h"
#include "checkers/linearizability/checker.h"
#include "support/environment.h"
#include "support/history_generator.h"
#include "support/history_part.h"
#include "support/oracle.h"

namespace ordeal {
namespace {

using testing_support::told;

CheckResult judged(const History& history, const std::string& level, const std::string& model = "register") {
  CheckOptions options;
  options.model = model;
  options.consistency = level;
  if (model == "register" || model == "cas-register") options.initial = Value(0);
  options.threads = 1;
  return weak_checker(level)->check(history, options);
}
std::string verdict(const History& history, const std::string& level) {
  return std::string(name(judged(history, level).verdict));
}
History history_of(const std::string& text) {
  auto read = read_history(text, "test");
  EXPECT_TRUE(read) << read.error().message << "\n" << text;
  return std::move(read->history);
}

// One event at a time in ms, of the register.
std::string at(int ms, int process, const std::string& type, const std::string& f, const std::string& value) {
  return "{:time " + std::to_string(ms) + "000000 :process " + std::to_string(process) + " :type :" + type +
         " :f :" + f + " :value " + value + "}\n";
}
std::string wrote(int ms, int process, const std::string& value) {
  return at(ms, process, "invoke", "write", value) + at(ms + 1, process, "ok", "write", value);
}
std::string has_read(int ms, int process, const std::string& value) {
  return at(ms, process, "invoke", "read", "nil") + at(ms + 1, process, "ok", "read", value);
}

// Reads that came a moment after the last write were compared as if replicas had had all the time there is: a correct
// store that converges in its own time was accused of divergence.
TEST(RegressEventual, NoFiniteHistoryShowsThatReplicasNeverConverge) {
  const std::string writes = wrote(0, 0, "1") + wrote(10, 1, "2");
  EXPECT_EQ(verdict(history_of(writes + has_read(20, 0, "1") + has_read(30, 1, "2")), "eventual"), "unknown");
  EXPECT_EQ(verdict(history_of(writes + has_read(20, 0, "1") + has_read(9'000'00, 1, "2")), "eventual"), "unknown");
  EXPECT_EQ(
      verdict(history_of(writes + has_read(20, 0, "1") + has_read(30, 1, "2") + has_read(40, 0, "2")), "eventual"),
      "valid");
  EXPECT_NE(
      judged(history_of(writes + has_read(20, 0, "1") + has_read(30, 1, "2")), "eventual").reason.find("eventual-T"),
      std::string::npos);
}

TEST(Eventual, NeedsTwoWhoRead) {
  EXPECT_EQ(verdict(history_of(wrote(0, 0, "1")), "eventual"), "unknown");
  EXPECT_EQ(verdict(history_of(wrote(0, 0, "1") + has_read(10, 0, "1")), "eventual"), "unknown");
  EXPECT_EQ(verdict(history_of(wrote(0, 0, "1") + has_read(10, 0, "1") + has_read(20, 1, "1")), "eventual"), "valid");
  for (const char* level : {"eventual", "eventual-1ms"}) {
    // Within the last write.
    EXPECT_EQ(verdict(history_of(at(0, 0, "invoke", "write", "1") + has_read(10, 1, "1") + has_read(20, 2, "1") +
                                 at(30, 0, "ok", "write", "1")),
                      level),
              "unknown");
  }
}

TEST(Eventual, NothingIsReadBeforeItIsWritten) {
  for (const char* level : {"eventual", "eventual-10ms"}) {
    EXPECT_EQ(verdict(history_of(wrote(0, 0, "1") + has_read(10, 0, "7")), level), "invalid") << level;
    const CheckResult early = judged(history_of(has_read(0, 1, "1") + wrote(10, 0, "1")), level);
    ASSERT_EQ(early.verdict, Verdict::invalid) << level;
    EXPECT_EQ(early.anomalies[0].type, "read-before-write");
  }
}

TEST(EventualWithin, ReadsAfterTheBoundAgree) {
  const std::string writes = wrote(0, 0, "1") + wrote(10, 1, "2");  // until 11
  const auto within = [&](const std::string& reads) { return verdict(history_of(writes + reads), "eventual-100ms"); };
  EXPECT_EQ(within(has_read(20, 0, "1") + has_read(30, 1, "2")), "unknown");
  EXPECT_EQ(within(has_read(20, 0, "1") + has_read(111, 0, "2") + has_read(120, 1, "2")), "valid");
  EXPECT_EQ(within(has_read(110, 0, "1") + has_read(111, 0, "2") + has_read(120, 1, "2")), "valid");
  EXPECT_EQ(within(has_read(111, 0, "1") + has_read(115, 0, "2") + has_read(120, 1, "2")), "invalid");
  // Both reads are named, and what they read.
  const CheckResult apart =
      judged(history_of(writes + has_read(111, 0, "1") + has_read(120, 1, "2")), "eventual-100ms");
  ASSERT_EQ(apart.verdict, Verdict::invalid);
  EXPECT_EQ(apart.anomalies[0].type, "divergence");
  EXPECT_EQ(apart.anomalies[0].operations, (std::vector<EventIndex>{0, 2, 4, 6}));
  EXPECT_EQ(within(has_read(111, 0, "1") + has_read(120, 1, "1")), "valid");  // which write wins is open
  EXPECT_EQ(within(has_read(111, 0, "0")), "invalid");                        // … but not that none does
  EXPECT_EQ(within(has_read(111, 0, "2")), "unknown");
  const std::string crashed = at(12, 5, "invoke", "write", "3") + at(13, 5, "info", "write", "3");
  EXPECT_EQ(within(crashed + has_read(200, 0, "1") + has_read(210, 1, "3")), "unknown");
  EXPECT_EQ(within(crashed + has_read(200, 0, "1") + has_read(210, 1, "2")), "invalid");
  EXPECT_EQ(within(crashed + has_read(200, 0, "3") + has_read(210, 1, "3")), "valid");
}

TEST(EventualWithin, TimesMustMeasureSomething) {
  const std::string steps_back = wrote(500, 0, "1") + has_read(400, 0, "0") + has_read(900, 1, "1");
  EXPECT_EQ(verdict(history_of(steps_back), "eventual-100ms"), "unknown");
  std::string untimed = wrote(0, 0, "1") + has_read(10, 0, "0") + has_read(20, 1, "1");
  for (std::size_t i = untimed.find(":time"); i != untimed.npos; i = untimed.find(":time"))
    untimed.erase(i, untimed.find(":process", i) - i);
  EXPECT_EQ(verdict(history_of(untimed), "eventual-100ms"), "unknown");
}

// A register's operation, for the definition below.
struct Op {
  bool write = false, crashed = false;
  int value = 0, process = 0;
  std::int64_t begun = 0, ended = 0;
};

// Is there one order of the writes in which each read that begins T after all of them had ended sees the last of those
// that had been acknowledged and of some that crashed, and each other read what somebody had begun to write, or 0?
bool eventual_by_definition(const std::vector<Op>& ops, std::int64_t bound) {
  std::vector<Op> writes;
  std::int64_t quiet = -1;
  for (const Op& op : ops) {
    if (!op.write) continue;
    writes.push_back(op);
    quiet = std::max(quiet, op.crashed ? op.begun : op.ended);
  }
  std::vector<std::size_t> order(writes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  do {
    bool good = true;
    for (const Op& read : ops) {
      if (read.write) continue;
      bool explained = read.value == 0;
      const bool settled = quiet < 0 || read.begun - quiet >= bound;
      for (const Op& write : writes) explained = explained || (write.value == read.value && write.begun < read.ended);
      if (explained && settled) {
        explained = false;
        for (unsigned some = 0; some < 1u << writes.size(); ++some) {
          int seen = 0;
          bool all_acknowledged = true;
          for (const std::size_t i : order) {
            const bool has = (some >> i & 1) != 0;
            if (has) seen = writes[i].value;
            if (!has && !writes[i].crashed) all_acknowledged = false;
          }
          explained = explained || (all_acknowledged && seen == read.value);
        }
      }
      good = good && explained;
    }
    if (good) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

// One after the other, with distinct times.
std::vector<Op> random_ops(std::mt19937& random) {
  std::vector<Op> ops;
  int values = 1;
  std::int64_t now = 0;
  for (int i = 0; i < 6; ++i) {
    Op op;
    op.write = random() % 3 == 0;
    op.crashed = op.write && random() % 4 == 0;
    if (op.write)
      op.value = random() % 5 == 0 ? 1 : values++;
    else  // mostly what was written last
      op.value = random() % 3 != 0 ? values - 1 : static_cast<int>(random() % static_cast<unsigned>(values + 1));
    op.process = op.crashed ? 10 + i : static_cast<int>(random() % 2);
    op.begun = now += 1 + static_cast<std::int64_t>(random() % 20);
    op.ended = now += 1 + static_cast<std::int64_t>(random() % 3);
    ops.push_back(op);
  }
  return ops;
}
History history_of(const std::vector<Op>& ops) {
  std::string text;
  for (const Op& op : ops) {
    const char* f = op.write ? "write" : "read";
    text += at(static_cast<int>(op.begun), op.process, "invoke", f, op.write ? std::to_string(op.value) : "nil") +
            at(static_cast<int>(op.ended), op.process, op.crashed ? "info" : "ok", f, std::to_string(op.value));
  }
  return history_of(text);
}

// What an anomaly of history_of(ops) names: each operation has two events there.
std::vector<Op> named(const std::vector<Op>& ops, const CheckResult& result) {
  std::vector<Op> out;
  const auto& names = result.anomalies.at(0).operations;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (std::count(names.begin(), names.end(), 2 * i) != 0) out.push_back(ops[i]);
  }
  return out;
}

constexpr std::int64_t kNeverSettled = std::numeric_limits<std::int64_t>::max() / 2;

TEST(EventualWithin, AgreesWithItsDefinition) {
  std::mt19937 random(5);
  std::map<std::string, int> seen;
  const int rounds = 4000 * static_cast<int>(testing_support::heavy());
  for (int round = 0; round < rounds; ++round) {
    const std::vector<Op> ops = random_ops(random);
    const std::int64_t bound = static_cast<std::int64_t>(random() % 30);
    const History history = history_of(ops);
    const CheckResult result = judged(history, "eventual-" + std::to_string(bound) + "ms");
    const bool possible = eventual_by_definition(ops, bound);
    ++seen[std::string(name(result.verdict))];
    const bool nothing_seen = std::all_of(ops.begin(), ops.end(), [](const Op& op) { return op.write; });
    if (nothing_seen) continue;
    ASSERT_EQ(result.verdict == Verdict::invalid, !possible) << "T " << bound << " ms\n" << told(history);
    // No bound accuses where none was given.
    if (possible) {
      EXPECT_NE(judged(history, "eventual").verdict, Verdict::invalid) << told(history);
    }
    if (result.verdict != Verdict::invalid) continue;
    const History part = testing_support::part_of(history, result.anomalies[0].operations);
    EXPECT_EQ(judged(part, "eventual-" + std::to_string(bound) + "ms").verdict, Verdict::invalid)
        << result.anomalies[0].explanation << "\n"
        << told(history);
    EXPECT_FALSE(eventual_by_definition(named(ops, result), bound)) << result.anomalies[0].explanation << "\n"
                                                                    << told(history);
  }
  for (const char* what : {"valid", "invalid", "unknown"}) EXPECT_GT(seen[what], 100) << what;
}

// Without a bound only what nobody had begun to write breaks it, and what is named of that, alone, does too.
TEST(Eventual, IsBrokenByReadsFromNowhereAndTheirProofsStandAlone) {
  std::mt19937 random(6);
  int invalid = 0, smaller = 0;
  for (int round = 0; round < 4000 * static_cast<int>(testing_support::heavy()); ++round) {
    const std::vector<Op> ops = random_ops(random);
    const History history = history_of(ops);
    const CheckResult result = judged(history, "eventual");
    ASSERT_EQ(result.verdict == Verdict::invalid, !eventual_by_definition(ops, kNeverSettled)) << told(history);
    if (result.verdict != Verdict::invalid) continue;
    ++invalid;
    for (const Anomaly& anomaly : result.anomalies) {
      const History part = testing_support::part_of(history, anomaly.operations);
      EXPECT_EQ(judged(part, "eventual").verdict, Verdict::invalid) << anomaly.explanation << "\n" << told(history);
    }
    const std::vector<Op> alone = named(ops, result);
    smaller += alone.size() < ops.size();
    EXPECT_FALSE(eventual_by_definition(alone, kNeverSettled)) << result.anomalies[0].explanation << "\n"
                                                               << told(history);
  }
  EXPECT_GT(invalid, 300);
  EXPECT_GT(smaller, invalid / 2);
}

// A run that gives its replicas `settle_ms`.
CheckResult settled(const History& history, double settle_ms) {
  CheckOptions options;
  options.model = "register";
  options.consistency = "eventual";
  options.initial = Value(0);
  options.extra.set("eventual.settle_s", settle_ms / 1000);
  return weak_checker("eventual")->check(history, options);
}
std::string settled(const std::string& text, double settle_ms) {
  return std::string(name(settled(history_of(text), settle_ms).verdict));
}

std::string keyed(int ms, int process, const std::string& type, const std::string& f, const std::string& key,
                  const std::string& value) {
  return R"({"time":)" + std::to_string(ms * 1'000'000) + R"(,"process":)" + std::to_string(process) + R"(,"type":")" +
         type + R"(","f":")" + f + R"(","key":")" + key + R"(","value":)" + value + "}\n";
}
std::string wrote_key(int ms, int process, const std::string& key, const std::string& value) {
  return keyed(ms, process, "invoke", "write", key, value) + keyed(ms + 1, process, "ok", "write", key, value);
}
std::string read_key(int ms, int process, const std::string& key, const std::string& value) {
  return keyed(ms, process, "invoke", "read", key, "null") + keyed(ms + 1, process, "ok", "read", key, value);
}
std::string fault_step(int ms, const std::string& step) {
  return R"({"time":)" + std::to_string(ms * 1'000'000) +
         R"(,"process":"nemesis","type":"info","f":"partition","value":{"id":1,"step":")" + step + "\"}}\n";
}

// Only what each process read last counts, when all that could keep replicas apart is over.
TEST(EventualOfARun, WaitsForAllWritesAndForHealing) {
  const std::string writes = wrote_key(0, 0, "a", "1") + wrote_key(10, 1, "a", "2");
  const std::string apart = read_key(200, 0, "a", "1") + read_key(210, 1, "a", "2");
  EXPECT_EQ(settled(writes + apart, 100), "invalid");
  EXPECT_EQ(settled(writes + apart, 190), "unknown") << "one of them came in time";
  EXPECT_EQ(settled(writes + apart, 300), "unknown");
  // A slow store is still coming together while another key is written, and while a fault is in force.
  const std::string both = read_key(200, 0, "b", "5") + read_key(201, 1, "b", "5");
  EXPECT_EQ(settled(writes + wrote_key(150, 2, "b", "5") + apart + both, 100), "unknown");
  EXPECT_EQ(
      settled(writes + fault_step(20, "inject") + fault_step(21, "injected") + fault_step(150, "healed") + apart, 100),
      "unknown");
  EXPECT_EQ(
      settled(writes + fault_step(20, "inject") + fault_step(21, "injected") + fault_step(90, "healed") + apart, 100),
      "invalid");
  const CheckResult never =
      settled(history_of(writes + fault_step(20, "inject") + fault_step(21, "injected") + apart), 100);
  EXPECT_EQ(never.verdict, Verdict::unknown);
  EXPECT_EQ(never.reason, "the fault partition was never healed");
  // … and read before the last reads.
  EXPECT_EQ(settled(writes + read_key(180, 0, "a", "1") + read_key(200, 0, "a", "2") + read_key(210, 1, "a", "2"), 100),
            "valid");
}

TEST(EventualOfARun, NeedsEveryRegisterReadByTwo) {
  const std::string a = wrote_key(0, 0, "a", "1"), b = wrote_key(1, 0, "b", "1");
  const std::string reads = read_key(200, 0, "a", "1") + read_key(201, 1, "a", "1");
  EXPECT_EQ(settled(a + reads, 100), "valid");
  EXPECT_EQ(settled(a + b + reads, 100), "unknown");
  EXPECT_EQ(settled(a + b + reads + read_key(210, 0, "b", "1"), 100), "unknown");
  EXPECT_EQ(settled(a + b + reads + read_key(210, 0, "b", "1") + read_key(220, 1, "b", "1"), 100), "valid");
  EXPECT_EQ(settled(a + b + reads + read_key(210, 0, "b", "0") + read_key(220, 1, "b", "0"), 100), "invalid");
  EXPECT_EQ(settled(read_key(200, 0, "a", "0") + read_key(210, 1, "a", "0"), 100), "unknown") << "nothing was written";
}

// The same definition: of a run, only the last settled read of each process is one.
TEST(EventualOfARun, AgreesWithItsDefinition) {
  std::mt19937 random(6);
  std::map<std::string, int> seen;
  const int rounds = 4000 * static_cast<int>(testing_support::heavy());
  for (int round = 0; round < rounds; ++round) {
    const std::vector<Op> ops = random_ops(random);
    const std::int64_t bound = static_cast<std::int64_t>(random() % 30);
    const History history = history_of(ops);
    const CheckResult result = settled(history, static_cast<double>(bound));
    ++seen[std::string(name(result.verdict))];
    // What is not a process' last read may be any value written by then, as if it had come too early.
    std::vector<Op> last;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const bool later = std::any_of(ops.begin() + static_cast<std::ptrdiff_t>(i) + 1, ops.end(),
                                     [&](const Op& op) { return !op.write && op.process == ops[i].process; });
      if (ops[i].write || !later) last.push_back(ops[i]);
    }
    const bool written = std::any_of(ops.begin(), ops.end(), [](const Op& op) { return op.write; });
    const bool safe = eventual_by_definition(ops, std::numeric_limits<std::int64_t>::max() / 2);
    const bool possible = safe && (!written || eventual_by_definition(last, bound));
    ASSERT_EQ(result.verdict == Verdict::invalid, !possible) << "T " << bound << " ms\n" << told(history);
    if (result.verdict != Verdict::invalid) continue;
    const History part = testing_support::part_of(history, result.anomalies[0].operations);
    EXPECT_EQ(settled(part, static_cast<double>(bound)).verdict, Verdict::invalid)
        << result.anomalies[0].explanation << "\n"
        << told(history);
  }
  for (const char* what : {"valid", "invalid", "unknown"}) EXPECT_GT(seen[what], 50) << what;
}

// Write of 1, replaced by 2 at 21 ms; a read of 1 from 100 ms on is 79 ms stale.
TEST(BoundedStaleness, IsCountedFromTheReplacementToTheRead) {
  const History history = history_of(wrote(0, 0, "1") + wrote(20, 0, "2") + has_read(100, 1, "1"));
  EXPECT_EQ(verdict(history, "bounded-staleness-78ms"), "invalid");
  EXPECT_EQ(verdict(history, "bounded-staleness-79ms"), "valid");  // exactly T is within it
  EXPECT_EQ(verdict(history, "bounded-staleness-1h"), "valid");
  const CheckResult result = judged(history, "bounded-staleness-50ms");
  ASSERT_EQ(result.anomalies.size(), 1u);
  EXPECT_EQ(result.anomalies[0].operations, (std::vector<EventIndex>{0, 2, 4}));
  EXPECT_NE(result.anomalies[0].explanation.find("began 79 ms after \"write 2\" of process 0 had ended"),
            std::string::npos)
      << result.anomalies[0].explanation;
  EXPECT_FALSE(result.anomalies[0].sentences.empty());
  EXPECT_EQ(result.anomalies[0].graph.nodes.size(), 3u);
}

// Stale reads may be of any age here, but not of what nobody wrote, and not out of any order.
TEST(BoundedStaleness, OnlyReadsMayBeLate) {
  EXPECT_EQ(verdict(history_of(wrote(0, 0, "1") + has_read(10, 1, "7")), "bounded-staleness-1h"), "invalid");
  EXPECT_EQ(verdict(history_of(has_read(0, 1, "1") + wrote(10, 0, "1")), "bounded-staleness-1h"), "invalid");
  // A cas that succeeded against a value that had been replaced.
  const std::string writes = wrote(0, 0, "1") + wrote(10, 0, "2");
  const auto cas = [&](const std::string& pair) {
    return history_of(writes + at(20, 1, "invoke", "cas", pair) + at(21, 1, "ok", "cas", pair) + has_read(30, 2, "3"));
  };
  EXPECT_EQ(judged(cas("[1 3]"), "bounded-staleness-1h", "cas-register").verdict, Verdict::invalid);
  EXPECT_EQ(judged(cas("[2 3]"), "bounded-staleness-1h", "cas-register").verdict, Verdict::valid);
}

// No bound allows it, or every bound does: then times do not matter.
TEST(BoundedStaleness, WithoutTimesOnlyTheExtremesAreDecided) {
  const auto without = [](std::string text) {
    for (std::size_t i = text.find(":time"); i != text.npos; i = text.find(":time"))
      text.erase(i, text.find(":process", i) - i);
    return history_of(text);
  };
  const std::string writes = wrote(0, 0, "1") + wrote(20, 0, "2");
  const std::string level = "bounded-staleness-50ms";
  EXPECT_EQ(verdict(without(writes + has_read(100, 1, "2")), level), "valid");
  EXPECT_EQ(verdict(without(writes + has_read(100, 1, "1")), level), "unknown");
  EXPECT_EQ(verdict(without(writes + has_read(100, 1, "3")), level), "invalid");
  // The clock steps back.
  const CheckResult back = judged(history_of(writes + has_read(15, 1, "1")), level);
  EXPECT_EQ(back.verdict, Verdict::unknown);
  EXPECT_NE(back.reason.find("event 4 is earlier"), std::string::npos) << back.reason;
  // Equal times are an interval of no length.
  EXPECT_EQ(verdict(history_of(at(0, 0, "invoke", "write", "1") + at(0, 0, "ok", "write", "1") +
                               at(0, 1, "invoke", "read", "nil") + at(0, 1, "ok", "read", "0")),
                    "bounded-staleness-0ms"),
            "valid");
}

TEST(BoundedStaleness, NamesThatAreNoLevel) {
  for (const char* level : {"bounded-staleness", "bounded-staleness-", "bounded-staleness-T", "bounded-staleness-x",
                            "bounded-staleness--1s", "bounded-staleness-nan", "eventual-", "eventual-T", "eventual-1x"})
    EXPECT_EQ(weak_checker(level), nullptr) << level;
  EXPECT_NE(weak_checker("bounded-staleness-0.5s"), nullptr);
}

class BoundedStalenessOf : public testing::TestWithParam<std::string> {};

TEST_P(BoundedStalenessOf, AgreesWithBruteForce) {
  std::mt19937_64 random(11);
  int valid = 0, invalid = 0, weaker = 0;
  const int rounds = 3000 * static_cast<int>(testing_support::heavy());
  for (int round = 0; round < rounds; ++round) {
    testing_support::RandomHistory shape;
    shape.model = GetParam();
    shape.operations = 8;
    shape.unique_values = round % 2 == 0;
    const History untimed = testing_support::random_history(shape, random);
    std::vector<std::int64_t> times;
    for (std::int64_t now = 0; times.size() < untimed.size();
         now += static_cast<std::int64_t>(random() % 4) * 1'000'000)
      times.push_back(now);
    const History history = testing_support::with_times(untimed, times);
    const auto bound_ms = static_cast<std::int64_t>(random() % 12);
    const std::string level = "bounded-staleness-" + std::to_string(bound_ms) + "ms";
    CheckOptions options;
    options.model = GetParam();
    options.threads = 1;
    const CheckResult result = weak_checker(level)->check(history, options);
    if (result.verdict == Verdict::unknown) continue;  // nothing was observed
    const bool expected = testing_support::oracle_bounded_staleness(history, options, bound_ms * 1'000'000);
    ASSERT_EQ(name(result.verdict), expected ? "valid" : "invalid") << level << " " << result.algorithm << "\n"
                                                                    << told(history);
    ++(expected ? valid : invalid);
    if (expected) {
      weaker += linearizable_checker()->check(history, options).verdict == Verdict::invalid ? 1 : 0;
      continue;
    }
    const History part = testing_support::part_of(history, result.anomalies[0].operations);
    EXPECT_FALSE(testing_support::oracle_bounded_staleness(part, options, bound_ms * 1'000'000))
        << result.anomalies[0].explanation << "\nis not proved of\n"
        << told(history);
  }
  EXPECT_GT(valid, rounds / 20);
  EXPECT_GT(invalid, rounds / 20);
  EXPECT_GT(weaker, rounds / 300);  // some need the bound
}

INSTANTIATE_TEST_SUITE_P(Models, BoundedStalenessOf,
                         testing::Values("register", "cas-register", "versioned-register", "kv", "counter", "set",
                                         "log"),
                         [](const auto& one) {
                           std::string out = one.param;
                           std::replace(out.begin(), out.end(), '-', '_');
                           return out;
                         });

}  // namespace
}  // namespace ordeal
