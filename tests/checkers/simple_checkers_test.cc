// Tests of the checkers set, stats, unhandled-errors and log-pattern.

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

std::string read_of(int process, std::string_view elements) {
  const std::string p = "{:process " + std::to_string(process);
  return p + " :type :invoke :f :read}" + p + " :type :ok :f :read :value " + std::string(elements) + "}";
}

TEST(Set, AcknowledgedAndRecoveredElements) {
  const auto result = checked(history_of(kAdds + read_of(3, "#{1}") + read_of(3, "[2 1]")), "set");
  EXPECT_EQ(result.verdict, Verdict::valid) << result.reason;
  EXPECT_EQ(count(result, "acknowledged"), 1);
  EXPECT_EQ(count(result, "attempts"), 3);
  EXPECT_EQ(count(result, "recovered"), 1);
  EXPECT_EQ(count(result, "stable"), 2);
}

TEST(Set, LostElement) {
  const History h = history_of(kAdds + read_of(3, "[1]") + read_of(3, "[]"));
  const auto result = checked(h, "set");
  EXPECT_EQ(result.verdict, Verdict::invalid);
  ASSERT_THAT(types(result), ElementsAre("lost-element"));
  EXPECT_THAT(result.anomalies[0].operations, ElementsAre(0, 8));
  EXPECT_THAT(result.anomalies[0].explanation, HasSubstr("element 1 was acknowledged and is lost: the read of event 8"));
}

TEST(Set, StaleReadIsNoLoss) {
  const History h = history_of(kAdds + read_of(3, "[]") + read_of(3, "[1]"));
  const auto result = checked(h, "set");
  ASSERT_THAT(types(result), ElementsAre("stale-read"));
  CheckOptions eventual;
  eventual.consistency = "eventual";
  const auto relaxed = checked(h, "set", eventual);
  EXPECT_EQ(relaxed.verdict, Verdict::valid);
  EXPECT_EQ(count(relaxed, "stale"), 1);
}

TEST(Set, EventualConsistencyStillForbidsLoss) {
  CheckOptions eventual;
  eventual.consistency = "eventual";
  EXPECT_THAT(types(checked(history_of(kAdds + read_of(3, "[1]") + read_of(3, "[]")), "set", eventual)), ElementsAre("lost-element"));
  // With an add after the last read, that read was not final, and nothing is proved.
  EXPECT_EQ(checked(history_of(kAdds + read_of(3, "[1]") + read_of(3, "[]") + "{:process 0 :type :invoke :f :add :value 9}"), "set", eventual).verdict,
            Verdict::valid);
}

TEST(Set, ConcurrentReadMayMissTheElement) {
  const auto result = checked(history_of("{:process 3 :type :invoke :f :read}" + kAdds + "{:process 3 :type :ok :f :read :value []}" + read_of(4, "[1]")), "set");
  EXPECT_EQ(result.verdict, Verdict::valid);
}

TEST(Set, ASeenElementMustStay) {
  // Nobody acknowledged 2, but once a read has returned it, it is there.
  EXPECT_THAT(types(checked(history_of(kAdds + read_of(3, "[1 2]") + read_of(3, "[1]")), "set")), ElementsAre("lost-element"));
}

TEST(Set, UnexpectedAndDuplicatedElements) {
  const auto result = checked(history_of(kAdds + read_of(3, "[1 1 1 3 4 5]") + read_of(3, "[1 3 4 5]") +
                                         "{:process 0 :type :invoke :f :add :value 5}"), "set");
  EXPECT_THAT(types(result), ElementsAre("duplicate-element", "unexpected-element", "unexpected-element", "unexpected-element"));
  EXPECT_THAT(result.anomalies[0].explanation, HasSubstr("returned element 1 3 times"));
  EXPECT_THAT(result.anomalies[1].explanation, HasSubstr("whose add certainly failed"));
  EXPECT_THAT(result.anomalies[2].explanation, HasSubstr("that nobody ever added"));
  EXPECT_THAT(result.anomalies[3].explanation, HasSubstr("only after the read had ended"));
}

TEST(Set, KeysAreSetsOfTheirOwn) {
  const auto result = checked(history_of("{:process 0 :type :invoke :f :add :key 1 :value 1}{:process 0 :type :ok :f :add :key 1 :value 1}"
                                         "{:process 0 :type :invoke :f :read :key 2}{:process 0 :type :ok :f :read :key 2 :value []}"
                                         "{:process 0 :type :invoke :f :read :key 1}{:process 0 :type :ok :f :read :key 1 :value [1]}"), "set");
  EXPECT_EQ(result.verdict, Verdict::valid);
  EXPECT_EQ(result.keys, 2u);
}

TEST(Set, UnknownWhenNothingWasSeenOrUnderstood) {
  EXPECT_THAT(checked(history_of(kAdds), "set").reason, HasSubstr("no read succeeded"));
  EXPECT_THAT(checked(history_of(read_of(0, "[]")), "set").reason, HasSubstr("nothing is known"));
  EXPECT_THAT(checked(history_of(kAdds + "{:process 0 :type :invoke :f :remove :value 1}"), "set").reason, HasSubstr("not remove"));
  EXPECT_THAT(checked(history_of(kAdds + read_of(3, "7")), "set").reason, HasSubstr("no list of elements but 7"));
  CheckOptions other;
  other.consistency = "causal";
  EXPECT_EQ(checked(history_of(kAdds), "set", other).verdict, Verdict::unknown);
}

// The definitions of set.h, word by word, over all reads and elements.
std::set<std::string> oracle(const History& h) {
  std::set<std::string> found;
  struct Seen { EventIndex inv, ret; std::multiset<std::int64_t> elements; };
  std::vector<Seen> reads;
  std::map<std::int64_t, EventIndex> added, known;
  const auto learn = [&](std::int64_t e, EventIndex at) {
    if (!known.contains(e) || at < known[e]) known[e] = at;
  };
  for (const auto& op : h.operations()) {
    if (h.f_name(op.invocation) == "add") {
      const std::int64_t e = h.values().as_integer(h.value(op.invocation));
      if (h.outcome(op) != EventType::fail && !added.contains(e)) added[e] = op.invocation;
      if (h.outcome(op) == EventType::ok) learn(e, op.completion);
    } else if (h.outcome(op) == EventType::ok) {
      Seen seen{op.invocation, op.completion, {}};
      for (const ValueId id : h.values().as_list(h.value(op.completion))) seen.elements.insert(h.values().as_integer(id));
      for (const std::int64_t e : seen.elements) learn(e, op.completion);
      reads.push_back(seen);
    }
  }
  for (const Seen& read : reads) {
    for (const std::int64_t e : read.elements) {
      if (!added.contains(e) || added[e] > read.ret) found.insert("unexpected-element " + std::to_string(e));
      if (read.elements.count(e) > 1) found.insert("duplicate-element " + std::to_string(e));
    }
  }
  for (const auto& [e, since] : known) {
    for (const Seen& absent : reads) {
      if (absent.inv < since || absent.elements.contains(e)) continue;
      bool last = true;
      bool again = false;
      for (const Seen& other : reads) {
        if (other.elements.contains(e) && other.ret > absent.inv) again = true;
        if (other.inv > absent.inv && !other.elements.contains(e)) last = false;
      }
      if (last) found.insert((again ? "stale-read " : "lost-element ") + std::to_string(e));
    }
  }
  return found;
}

TEST(Set, AgreesWithItsDefinitionOnRandomHistories) {
  std::mt19937 random(7);
  int invalid = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    std::map<unsigned, std::string> open;
    for (unsigned step = 0; step < 12 || !open.empty(); ++step) {
      const auto p = static_cast<unsigned>(random() % 3);
      const std::string process = "{:process " + std::to_string(p);
      if (open.contains(p)) {
        const std::string type = std::vector<std::string>{":ok", ":ok", ":info", ":fail"}[random() % 4];
        std::string value = open[p];
        if (value.empty()) {
          value = ":f :read :value [";
          for (int e = 0; e < 4; ++e) {
            if (random() % 3 != 0) value += std::to_string(e) + " ";
            if (random() % 40 == 0) value += std::to_string(e) + " ";
          }
          value += "]";
        }
        text += process + " :type " + type + " " + value + "}\n";
        open.erase(p);
      } else if (step < 12) {
        if (random() % 2 != 0) {
          open[p] = ":f :add :value " + std::to_string(random() % 4);
          text += process + " :type :invoke " + open[p] + "}\n";
        } else {
          open[p] = "";
          text += process + " :type :invoke :f :read}\n";
        }
      }
    }
    const History h = history_of(text);
    const auto result = checked(h, "set");
    std::set<std::string> found;
    for (const auto& anomaly : result.anomalies) {
      const std::string& words = anomaly.explanation;
      const std::size_t at = words.find("element ") + 8;
      found.insert(anomaly.type + " " + words.substr(at, words.find_first_not_of("0123456789", at) - at));
    }
    ASSERT_EQ(found, oracle(h)) << text;
    invalid += found.empty() ? 0 : 1;
  }
  EXPECT_GT(invalid, 1000);
  EXPECT_LT(invalid, 3990);
}

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
