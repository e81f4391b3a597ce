#include <algorithm>
#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string at(std::int64_t ms, int process, std::string_view type, std::string_view f, std::string_view value) {
  return "{:time " + std::to_string(ms) + "000000 " + event(process, type, f, value).substr(1);
}
// An add that takes a millisecond.
std::string add(std::int64_t ms, std::string_view element, std::string_view type = "ok", int process = 0) {
  return at(ms, process, "invoke", "add", element) + at(ms + 1, process, type, "add", element);
}
std::string read(std::int64_t ms, std::string_view elements, int process = 9) {
  return at(ms, process, "invoke", "read", "nil") + at(ms + 1, process, "ok", "read", elements);
}
std::string step(std::int64_t ms, int id, std::string_view fault, std::string_view what) {
  return "{:time " + std::to_string(ms) + "000000 :process :nemesis :type :info :f :" + std::string(fault) +
         " :value {:id " + std::to_string(id) + " :step \"" + std::string(what) + "\"}}\n";
}
std::string kill(std::int64_t ms, int id = 1) {
  return step(ms, id, "kill", "inject") + step(ms + 2, id, "kill", "injected");
}
std::string healed(std::int64_t ms) { return step(ms, 1, "kill", "healed"); }

const CheckOptions kNoBound = with("durability", {{"durability.settle", "0"}});

TEST(Durability, NothingIsLostWithoutABound) {
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + add(3, "2") + read(9, "[1 2]"), kNoBound)), "valid");
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + add(3, "2") + read(9, "[1]"), kNoBound)), "lost-element");
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + kill(3) + add(7, "2") + read(9, "[2]"), kNoBound)),
            "lost-element");
  // One of the final reads is late; the loss is what none of them shows.
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + read(5, "[]") + read(9, "[1]"), kNoBound)), "valid");
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + add(3, "2", "info") + read(9, "[1]"), kNoBound)), "valid");
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + add(3, "2", "fail") + read(9, "[1 2]"), kNoBound)),
            "unexpected-element");
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + read(9, "[1 3]"), kNoBound)), "unexpected-element");
}

const CheckOptions kFive = with("durability", {{"durability.settle", "0"}, {"durability.rpo", "5ms"}});

TEST(Durability, ACrashMayCostWhatCameShortlyBefore) {
  const std::string run = add(1, "1") + add(11, "2") + kill(15) + add(20, "3");
  EXPECT_EQ(verdict(judged("durability", run + read(30, "[1 2 3]"), kFive)), "valid");
  EXPECT_EQ(verdict(judged("durability", run + read(30, "[1 3]"), kFive)), "valid");
  EXPECT_EQ(verdict(judged("durability", run + read(30, "[2 3]"), kFive)), "rpo-exceeded");
  EXPECT_EQ(verdict(judged("durability", run + read(30, "[1 2]"), kFive)), "lost-element");
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + add(9, "2") + kill(15) + read(30, "[1]"), kFive)), "valid");
  EXPECT_EQ(verdict(judged("durability", add(1, "1") + add(8, "2") + kill(15) + read(30, "[1]"), kFive)),
            "rpo-exceeded");
  // Acknowledged while it crashed.
  EXPECT_EQ(verdict(judged("durability",
                           add(1, "1") + step(15, 1, "kill", "inject") + add(16, "2") +
                               step(18, 1, "kill", "injected") + read(30, "[1]"),
                           kFive)),
            "valid");
  // Another fault is no crash.
  EXPECT_THAT(
      verdict(judged("durability",
                     add(1, "1") + step(3, 1, "pause", "inject") + step(4, 1, "pause", "injected") + read(9, "[1]"),
                     kFive)),
      HasSubstr("no crash was injected"));
}

std::string struck(std::int64_t ms, int id, std::string_view fault, std::int64_t from_ms, std::int64_t to_ms) {
  return "{:time " + std::to_string(ms) + "000000 :process :nemesis :type :info :f :" + std::string(fault) +
         " :value {:id " + std::to_string(id) + " :step \"injected\" :struck [" + std::to_string(from_ms) + "000000 " +
         std::to_string(to_ms) + "000000]}}\n";
}

// An injection may take seconds; what it may cost is counted from the moment at which it struck.
TEST(Durability, RegressACrashIsCountedFromWhenItStruck) {
  const auto found = [](const std::string& add, const std::string& injected) {
    return verdict(judged(
        "durability", work::add(1, "1") + step(15, 1, "kill", "inject") + add + injected + read(200, "[1]"), kFive));
  };
  const std::string unknown = step(115, 1, "kill", "injected"), known = struck(115, 1, "kill", 100, 101);
  EXPECT_EQ(found(add(16, "2"), unknown), "valid");
  EXPECT_EQ(found(add(16, "2"), known), "rpo-exceeded");
  EXPECT_EQ(found(add(93, "2"), known), "rpo-exceeded");
  EXPECT_EQ(found(add(94, "2"), known), "valid");
  EXPECT_EQ(found(add(101, "2"), known), "valid");
  EXPECT_EQ(found(add(102, "2"), known), "lost-element") << "it was over";
  EXPECT_EQ(found(add(102, "2"), unknown), "valid");
  // What lies outside of the injection, or is no interval, says nothing.
  EXPECT_EQ(found(add(16, "2"), struck(115, 1, "kill", 1, 200)), "valid");
  EXPECT_EQ(found(add(110, "2"), struck(115, 1, "kill", 1, 200)), "valid");
  EXPECT_EQ(found(add(16, "2"), struck(115, 1, "kill", 101, 100)), "valid");
}

TEST(Durability, ACrashMayCostSoMany) {
  const CheckOptions two =
      with("durability", {{"durability.settle", "0"}, {"durability.rpo", "20ms"}, {"durability.max-lost", "2"}});
  const std::string run = add(1, "1") + add(3, "2") + add(5, "3") + kill(10);
  EXPECT_EQ(verdict(judged("durability", run + read(30, "[1]"), two)), "valid");
  EXPECT_EQ(verdict(judged("durability", run + read(30, "[]"), two)), "too-many-lost");
  EXPECT_EQ(verdict(judged("durability", run + kill(14, 2) + read(30, "[]"), two)), "valid");
  EXPECT_EQ(verdict(judged("durability", run + kill(40, 2) + read(60, "[]"), two)), "too-many-lost");
}

TEST(Durability, ServesAgainInTime) {
  const CheckOptions ten = with("durability", {{"durability.settle", "0"}, {"durability.rto", "10ms"}});
  const std::string begun = add(1, "1") + kill(10);
  const auto tries = add(13, "2", "info", 1) + add(20, "3", "fail", 2);
  EXPECT_EQ(verdict(judged("durability", begun + add(15, "2") + read(50, "[1 2]"), ten)), "valid");
  const auto late = judged("durability", begun + tries + add(25, "4") + read(50, "[1 4]"), ten);
  EXPECT_EQ(verdict(late), "rto-exceeded");
  EXPECT_THAT(late.anomalies[0].operations, ElementsAre(4, 6));
  EXPECT_EQ(verdict(judged("durability", begun + healed(12) + tries + add(25, "4") + read(50, "[1 4]"), ten)),
            "rto-exceeded");
  // Nobody tried at the end of that time, something else was in the way, or the run was over before.
  EXPECT_THAT(verdict(judged("durability", begun + add(13, "2", "info", 1) + add(25, "4") + read(50, "[1 4]"), ten)),
              HasSubstr("at work"));
  EXPECT_THAT(verdict(judged("durability",
                             begun + step(16, 2, "pause", "inject") + tries + add(25, "4") + read(50, "[1 4]"), ten)),
              HasSubstr("at work"));
  EXPECT_THAT(verdict(judged("durability", begun + add(13, "2", "info", 1) + add(18, "3", "info", 2), ten)),
              HasSubstr("after the last add"));
  // One that began before the crash does not show that it was over.
  EXPECT_EQ(verdict(judged("durability",
                           add(1, "1") + at(9, 5, "invoke", "add", "5") + kill(10) + at(13, 5, "ok", "add", "5") +
                               tries + add(25, "4") + read(50, "[1 4 5]"),
                           ten)),
            "rto-exceeded");
  EXPECT_THAT(verdict(judged("durability", add(1, "1") + read(50, "[1]"), ten)), HasSubstr("no crash was injected"));
}

TEST(Durability, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("durability", read(1, "[]") + add(3, "1"), kNoBound)), HasSubstr("after the last add"));
  EXPECT_THAT(verdict(judged("durability", add(1, "1", "info") + read(3, "[1]"), kNoBound)),
              HasSubstr("no add succeeded"));
  EXPECT_THAT(verdict(judged("durability", add(1, "1") + add(2, "1") + read(5, "[1]"), kNoBound)),
              HasSubstr("not added before"));
  EXPECT_THAT(verdict(judged("durability", ok(0, "add", "1") + ok(9, "read", "nil", "[1]"), kFive)),
              HasSubstr("no times"));
  EXPECT_THAT(verdict(judged("durability", add(1, "1") + read(5, "1"), kNoBound)), HasSubstr("a list of elements"));
}

TEST(Durability, AgreesWithTheDefinition) {
  constexpr std::int64_t kMs = 1'000'000;
  std::mt19937 random(seed_or(23));
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::size_t valid = 0, invalid = 0;
  for (int round = 0; round < 6000; ++round) {
    const int most = below(3);
    std::vector<std::pair<int, std::string>> events;
    std::vector<testing_support::Crash> crashes;
    for (int id = 0; id < 3; ++id) {
      const std::string name = id == 2 ? "power-loss" : "kill";
      const int begin = 5 + 25 * id + below(20), end = begin + 2 + below(10);
      // Of some it is known when they struck.
      const bool known = below(2) == 0;
      const int from = begin + below(end - begin + 1), to = from + below(end - from + 1);
      events.emplace_back(begin, step(begin, id, name, "inject"));
      events.emplace_back(end, known ? struck(end, id, name, from, to) : step(end, id, name, "injected"));
      crashes.push_back({(known ? from : begin) * kMs, (known ? to : end) * kMs});
    }
    std::string kept = "[";
    for (int element = 0; element < 6; ++element) {
      const int begin = below(70), end = begin + 1 + below(6);
      const bool acknowledged = below(6) != 0;
      events.emplace_back(begin, at(begin, element, "invoke", "add", std::to_string(element)));
      events.emplace_back(end, at(end, element, acknowledged ? "ok" : "info", "add", std::to_string(element)));
      if (below(2) == 0) kept += std::to_string(element) + " ";
    }
    std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string text;
    for (const auto& [time, one] : events) text += one;
    text += read(100, kept + "]");
    const History whole = history_of(text);
    const bool explained =
        testing_support::keeps_durability(testing_support::calls_of(whole), 0, crashes, 15 * kMs, most);
    const std::string bound = std::to_string(most);
    const auto result =
        judged("durability", whole,
               with("durability",
                    {{"durability.settle", "0"}, {"durability.rpo", "15ms"}, {"durability.max-lost", bound.c_str()}}));
    ASSERT_EQ(result.verdict == Verdict::invalid, !explained) << text << verdict(result);
    (explained ? valid : invalid) += 1;
  }
  EXPECT_GT(valid, 500u);
  EXPECT_GT(invalid, 500u);
}

}  // namespace
}  // namespace ordeal::work
