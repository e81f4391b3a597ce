// The names of familiar mistakes, and what is said of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "checkers/history/reader.h"
#include "checkers/linearizability/checker.h"

namespace ordeal {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// One event a line: "PROCESS TYPE F VALUE", a millisecond after another.
std::string explained(const std::string& model, const std::vector<std::string>& events) {
  std::string text;
  for (std::size_t i = 0; i < events.size(); ++i) {
    std::istringstream words(events[i]);
    std::string process, type, f, value;
    words >> process >> type >> f;
    std::getline(words, value);
    text += "{\"process\":" + process + ",\"type\":\"" + type + "\",\"f\":\"" + f +
            "\",\"value\":" + (value.empty() ? "null" : value) + ",\"time\":" + std::to_string(i * 1'000'000) + "}\n";
  }
  auto read = read_history(text, "test");
  EXPECT_TRUE(read) << text;
  if (!read) return {};
  read->history.place_workers({"n1", "n2", "n3"});
  CheckOptions options;
  options.model = model;
  const CheckResult result = linearizable_checker()->check(read->history, options);
  EXPECT_EQ(result.verdict, Verdict::invalid) << text;
  return result.anomalies.empty() ? "" : result.anomalies[0].explanation;
}

TEST(Reasons, OfRegisters) {
  EXPECT_EQ(
      explained("register", {"1 invoke write 1", "1 ok write 1", "5 invoke read", "5 ok read null"}),
      "stale read: process 5 on n3 read null (event 2) 1 ms after process 1 on n2 had been told that 1 was written "
      "(event 0)");
  EXPECT_THAT(explained("register", {"1 invoke write 1", "1 ok write 1", "1 invoke write 2", "1 ok write 2",
                                     "2 invoke read", "2 ok read 2", "0 invoke read", "0 ok read 1"}),
              StartsWith("stale read: process 0 on n1 read 1 (event 6) "));
  EXPECT_THAT(explained("register", {"0 invoke read", "0 ok read 7"}), HasSubstr("which nobody had ever written"));
  EXPECT_THAT(explained("register", {"0 invoke read", "0 ok read 7", "1 invoke write 7", "1 ok write 7"}),
              StartsWith("from the future: process 0 on n1 read 7 (event 0), which was first written after"));
  EXPECT_EQ(
      explained("register", {"1 invoke write 7", "1 fail write 7", "0 invoke read", "0 ok read 7"}),
      "failed write seen: process 0 on n1 read 7 (event 2), which process 1 on n2 had tried, and been told that it "
      "failed (event 0)");
  EXPECT_THAT(explained("cas-register", {"0 invoke write 1", "0 ok write 1", "1 invoke cas [1,2]", "2 invoke cas [1,3]",
                                         "1 ok cas [1,2]", "2 ok cas [1,3]"}),
              StartsWith("lost update: process 1 on n2 (event 2) and process 2 on n3 (event 3) both replaced 1"));
}

// Where a crashed write may explain the read, nothing is called stale.
TEST(Reasons, AreNotGivenWhereTheyAreNotCertain) {
  const std::string text =
      explained("register", {"3 invoke write 1", "0 invoke write 2", "0 ok write 2", "1 invoke read", "1 ok read 1",
                             "1 invoke read", "1 ok read 2", "1 invoke read", "1 ok read 1"});
  EXPECT_THAT(text, testing::Not(StartsWith("stale read: process 1 on n2 read 1 (event 3)")));
}

TEST(Reasons, OfRegistersWithVersions) {
  const std::vector<std::string> twice = {"0 invoke write [null,1]", "0 ok write [1,1]", "0 invoke write [null,2]",
                                          "0 ok write [2,2]"};
  const auto after = [](std::vector<std::string> events, const std::vector<std::string>& more) {
    events.insert(events.end(), more.begin(), more.end());
    return explained("versioned-register", events);
  };
  EXPECT_EQ(after(twice, {"1 invoke read", "1 ok read [1,1]"}),
            "stale read: process 1 on n2 read 1 at version 1 (event 4) 1 ms after process 0 on n1 had been told that 2 "
            "was written at version 2 (event 2)");
  EXPECT_THAT(after(twice, {"1 invoke write [null,3]", "1 ok write [2,3]"}),
              StartsWith("the version went back: process 1 on n2 was told that it wrote 3 at version 2 (event 4)"));
  EXPECT_THAT(after(twice, {"1 invoke read", "1 ok read [2,7]"}),
              StartsWith("out of thin air: process 1 on n2 read 7"));
  EXPECT_THAT(
      after(twice, {"1 invoke read", "1 ok read [2,1]"}),
      StartsWith("one version, two values: to process 0 on n1 (event 2) and process 1 on n2 (event 4) version 2 "
                 "had the values 2 and 1"));
  EXPECT_THAT(
      explained("versioned-register",
                {"0 invoke write [null,1]", "1 invoke write [null,2]", "0 ok write [1,1]", "1 ok write [1,2]"}),
      StartsWith("lost update: process 0 on n1 (event 0) and process 1 on n2 (event 1) were both told that they "
                 "made version 1"));
}

TEST(Reasons, OfStrings) {
  const std::vector<std::string> grown = {"0 invoke append \"x\"", "0 ok append \"x\"", "0 invoke append \"y\"",
                                          "0 ok append \"y\""};
  const auto after = [](std::vector<std::string> events, const std::vector<std::string>& more) {
    events.insert(events.end(), more.begin(), more.end());
    return explained("kv", events);
  };
  EXPECT_EQ(after(grown, {"1 invoke get", "1 ok get \"x\""}),
            "lost update: process 1 on n2 got \"x\" (event 4), without \"y\", 1 ms after process 0 on n1 had been told "
            "that this was appended (event 2); no get ever showed it");
  EXPECT_THAT(after(grown, {"1 invoke get", "1 ok get \"xy\"", "2 invoke get", "2 ok get \"x\""}),
              StartsWith("stale read: process 2 on n3 got \"x\" (event 6)"));
  EXPECT_THAT(after(grown, {"1 invoke get", "1 ok get \"xz\""}), StartsWith("out of thin air: process 1 on n2 got"));
  EXPECT_THAT(explained("kv", {"0 invoke append \"x\"", "1 invoke append \"y\"", "2 invoke get", "3 invoke get",
                               "2 ok get \"xy\"", "3 ok get \"yx\"", "0 ok append \"x\"", "1 ok append \"y\""}),
              StartsWith("contradictory reads: "));
  EXPECT_THAT(
      explained("kv", {"0 invoke put \"a\"", "0 ok put \"a\"", "0 invoke put \"b\"", "0 ok put \"b\"", "1 invoke get",
                       "1 ok get \"a\""}),
      StartsWith("stale read: process 1 on n2 got \"a\" (event 4) 1 ms after process 0 on n1 had been told that "
                 "\"b\" was put (event 2)"));
  // A put may have removed what is not there.
  EXPECT_THAT(after(grown, {"1 invoke put \"q\"", "2 invoke get", "2 ok get \"x\"", "1 ok put \"q\""}),
              testing::Not(StartsWith("lost update")));
}

TEST(Reasons, OfContainers) {
  EXPECT_THAT(explained("queue", {"0 invoke dequeue", "0 ok dequeue 4"}), StartsWith("out of thin air"));
  EXPECT_THAT(explained("queue", {"0 invoke enqueue 4", "0 ok enqueue 4", "1 invoke dequeue", "1 ok dequeue 4",
                                  "2 invoke dequeue", "2 ok dequeue 4"}),
              StartsWith("duplicated: process 1 on n2 (event 2) and process 2 on n3 (event 4) both took 4"));
  EXPECT_THAT(explained("queue", {"0 invoke enqueue 4", "0 ok enqueue 4", "1 invoke dequeue", "1 ok dequeue null"}),
              StartsWith("lost element: process 1 on n2 was told that there is nothing (event 2) 1 ms after"));
  const std::vector<std::string> two = {"0 invoke enqueue 1", "0 ok enqueue 1", "0 invoke enqueue 2", "0 ok enqueue 2"};
  auto swapped = two;
  swapped.insert(swapped.end(), {"1 invoke dequeue", "1 ok dequeue 2", "1 invoke dequeue", "1 ok dequeue 1"});
  EXPECT_THAT(explained("queue", swapped), StartsWith("out of order: process 1 on n2 took 2 (event 4) although 1"));
  EXPECT_THAT(explained("stack", {"0 invoke push 1", "0 ok push 1", "0 invoke push 2", "0 ok push 2", "1 invoke pop",
                                  "1 ok pop 1", "1 invoke pop", "1 ok pop 2"}),
              StartsWith("out of order: process 1 on n2 took 1 (event 4) although 2 had been put on top of it"));
}

TEST(Reasons, OfSetsAndLogs) {
  const std::vector<std::string> added = {"0 invoke add 1", "0 ok add 1"};
  auto lost = added;
  lost.insert(lost.end(), {"1 invoke read", "1 ok read []"});
  EXPECT_THAT(explained("set", lost), HasSubstr("no read ever showed it"));
  lost.insert(lost.end(), {"2 invoke read", "2 ok read [1]"});
  EXPECT_THAT(explained("set", lost), StartsWith("stale read: process 1 on n2 did not see 1 (event 2) 1 ms after"));
  EXPECT_THAT(explained("set", {"5 invoke add 1", "1 invoke read", "1 ok read [1]", "2 invoke read", "2 ok read []"}),
              StartsWith("an element went away: process 2 on n3 did not see 1"));
  EXPECT_THAT(explained("log", {"0 invoke append 1", "1 invoke append 2", "2 invoke read", "3 invoke read",
                                "2 ok read [1,2]", "3 ok read [2,1]", "0 ok append 1", "1 ok append 2"}),
              StartsWith("contradictory reads: "));
}

TEST(Reasons, OfCountersLocksAndIds) {
  EXPECT_THAT(explained("counter", {"0 invoke add 2", "0 ok add 2", "1 invoke read", "1 ok read 1"}),
              HasSubstr("acknowledged before that sums up to 2"));
  EXPECT_THAT(explained("counter", {"0 invoke add 2", "0 ok add 2", "1 invoke read", "1 ok read 3"}),
              StartsWith("too much: "));
  const std::vector<std::string> crashed = {"0 invoke add 5", "0 info add 5", "5 invoke add 4", "1 invoke read",
                                            "1 ok read 5"};
  const auto then = [&](std::vector<std::string> more) {
    more.insert(more.begin(), crashed.begin(), crashed.end());
    return explained("counter", more);
  };
  EXPECT_THAT(
      then({"2 invoke read", "2 ok read 0"}),
      AllOf(StartsWith("lost or stale: process 2 on n3 read 0 (event 5), although nothing was subtracted since"),
            HasSubstr("since process 1 on n2 had read 5 (event 3)")));
  EXPECT_THAT(then({"2 invoke add 2", "2 ok add 2", "1 invoke read", "1 ok read 6"}),
              HasSubstr("read 6 (event 7), although at least 2 was added since process 1 on n2 had read 5"));
  EXPECT_THAT(explained("fetch-add", {"0 invoke fetch-add [1,null]", "0 ok fetch-add [1,0]",
                                      "1 invoke fetch-add [1,null]", "1 ok fetch-add [1,0]"}),
              StartsWith("duplicated: "));
  for (const char* model : {"mutex", "mutex-owner", "reentrant-mutex"}) {
    EXPECT_THAT(explained(model, {"0 invoke acquire", "0 ok acquire", "1 invoke acquire", "1 ok acquire",
                                  "0 invoke release", "0 ok release"}),
                StartsWith("two holders: process 1 on n2 was granted the lock (event 2) while process 0 on n1"))
        << model;
  }
  EXPECT_THAT(explained("fenced-mutex", {"0 invoke acquire", "0 ok acquire 5", "0 invoke release", "0 ok release",
                                         "1 invoke acquire", "1 ok acquire 4"}),
              StartsWith("the token went back: "));
  EXPECT_THAT(explained("unique-ids", {"0 invoke generate", "0 ok generate 5", "1 invoke generate", "1 ok generate 5"}),
              HasSubstr("were both given the id 5"));
}

}  // namespace
}  // namespace ordeal
