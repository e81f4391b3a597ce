#include <map>
#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/clients.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What is judged without the times, which these histories do not have.
CheckResult timeless(std::string_view edn) {
  return judged("read-model", edn, with("read-model", {{"read-model.lag", "0"}}));
}
std::string append(std::string_view event, std::string_view position, int process = 0) {
  return ok(process, "append", event, "[" + std::string(position) + " " + std::string(event) + "]");
}
std::string see(std::string_view f, std::string_view asked, std::string_view seen) { return ok(9, f, asked, seen); }

// Events 1, 2 and 3 at the positions 1, 2 and 5.
const std::string kBegun = append("1", "1") + append("2", "2") + see("read", "2", "[2 [1 2]]") +
                           see("replay", "nil", "[2 [1 2]]") + append("3", "5");

TEST(ReadModel, EveryPositionHasOneState) {
  EXPECT_EQ(verdict(timeless(kBegun + see("read", "nil", "[5 [1 2 3]]"))), "valid");
  EXPECT_EQ(verdict(timeless(kBegun + see("read", "nil", "[7 [1 2 3]]") + see("read-at", "4", "[4 [1 2]]"))), "valid");
  EXPECT_EQ(verdict(timeless(kBegun + see("read", "nil", "[0 []]"))), "valid");  // late, as it may be
  EXPECT_EQ(verdict(timeless(kBegun + see("read-at", "2", "[2 [1]]"))), "different-states different-states");
  EXPECT_EQ(verdict(timeless(kBegun + see("read-at", "1", "[2 [1 2]]"))), "wrong-position");
  EXPECT_EQ(verdict(timeless(kBegun + see("replay", "nil", "[5 [2 1 3]]"))), "divergent-states");
  EXPECT_EQ(verdict(timeless(kBegun + see("read", "nil", "[1 [1 2 3]]"))), "divergent-states");
  EXPECT_EQ(verdict(timeless(kBegun + see("replay", "nil", "[5 [1 2]]"))), "lost-event");
  EXPECT_EQ(verdict(timeless(kBegun + see("read", "nil", "[4 [1 2 3]]"))), "early-event");
  EXPECT_EQ(verdict(timeless(append("1", "1") + append("2", "2") + see("read", "2", "[2 [2 1]]") +
                             see("read", "nil", "[2 [2 1]]"))),
            "reordered-events");
}

TEST(ReadModel, TokensAndElements) {
  EXPECT_EQ(verdict(timeless(kBegun + see("read", "5", "[2 [1 2]]"))), "stale-token");
  EXPECT_EQ(verdict(timeless(kBegun + see("read", "5", "[5 [1 2 3 3]]"))), "duplicate-element");
  EXPECT_EQ(verdict(timeless(kBegun + see("read", "5", "[5 [1 2 3 4]]"))), "unexpected-element");
  EXPECT_EQ(verdict(timeless(kBegun + op(0, "append", "4", "fail", "4") + see("read", "5", "[6 [1 2 3 4]]"))),
            "unexpected-element");
}

TEST(ReadModel, Positions) {
  EXPECT_EQ(verdict(timeless(kBegun + append("4", "5"))), "duplicate-position position-went-back");
  EXPECT_EQ(verdict(timeless(kBegun + append("4", "4"))), "position-went-back");
  EXPECT_EQ(verdict(timeless(event(1, "invoke", "append", "9") + kBegun + event(1, "ok", "append", "[4 9]"))), "valid");
}

TEST(ReadModel, OneOfUnknownOutcomeGetsAPositionThatFits) {
  const std::string crashed = kBegun + op(1, "append", "4", "info", "4") + append("5", "8");
  EXPECT_EQ(verdict(timeless(crashed + see("read", "nil", "[8 [1 2 3 5]]"))), "valid");
  EXPECT_EQ(verdict(timeless(crashed + see("read", "nil", "[8 [1 2 3 4 5]]"))), "valid");
  EXPECT_EQ(verdict(timeless(crashed + see("read", "nil", "[9 [1 2 3 5 4]]"))), "valid");
  EXPECT_EQ(verdict(timeless(crashed + see("read", "nil", "[8 [1 2 3 5 4]]"))), "duplicate-position");
  EXPECT_EQ(verdict(timeless(crashed + see("read", "nil", "[8 [1 2 4 3 5]]"))), "duplicate-position");  // begun after 3
  EXPECT_EQ(verdict(timeless(crashed + see("read", "nil", "[5 [1 2 3]]") + see("read", "nil", "[7 [1 2 3]]") +
                             see("read", "nil", "[8 [1 2 3 4 5]]"))),
            "duplicate-position");
  EXPECT_EQ(verdict(timeless(append("1", "3") + op(1, "append", "4", "info", "4") + see("read", "3", "[3 [1]]") +
                             see("read", "nil", "[3 [1 4]]"))),
            "different-states");
  EXPECT_EQ(verdict(timeless(append("1", "3") + op(1, "append", "4", "info", "4") + see("read", "1", "[2 [4]]") +
                             see("read", "1", "[2 [4]]"))),
            "position-went-back");
}

std::string at(std::int64_t ms, int process, std::string_view type, std::string_view f, std::string_view value) {
  std::string out = event(process, type, f, value);
  return "{:time " + std::to_string(ms) + "000000 " + out.substr(1);
}

TEST(ReadModel, LagsNoLongerThanAgreed) {
  const CheckOptions ten = with("read-model", {{"read-model.lag", "10ms"}});
  const auto run = [](std::int64_t begin_ms, std::string_view seen) {
    return at(1, 0, "invoke", "append", "1") + at(2, 0, "ok", "append", "[1 1]") + at(3, 1, "invoke", "read", "1") +
           at(4, 1, "ok", "read", "[1 [1]]") + at(5, 1, "invoke", "replay", "nil") +
           at(6, 1, "ok", "replay", "[1 [1]]") + at(begin_ms, 2, "invoke", "read", "nil") +
           at(100, 2, "ok", "read", seen);
  };
  EXPECT_EQ(verdict(judged("read-model", run(50, "[1 [1]]"), ten)), "valid");
  const auto late = judged("read-model", run(50, "[0 []]"), ten);
  EXPECT_EQ(verdict(late), "read-model-lag");
  EXPECT_THAT(late.anomalies[0].operations, ElementsAre(0, 6));
  EXPECT_THAT(verdict(judged("read-model", run(12, "[0 []]"), ten)), HasSubstr("more than read-model.lag"));
  EXPECT_THAT(verdict(judged("read-model", kBegun, ten)), HasSubstr("no times"));
}

TEST(ReadModel, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(timeless(see("read", "nil", "[0 []]"))), HasSubstr("no append succeeded"));
  EXPECT_THAT(verdict(timeless(append("1", "1") + see("read", "nil", "[0 []]"))), HasSubstr("no state with an event"));
  EXPECT_THAT(verdict(timeless(append("1", "1") + see("read", "nil", "[1 [1]]"))), HasSubstr("no read with a token"));
  EXPECT_THAT(verdict(timeless(append("1", "1") + see("read", "1", "[1 [1]]"))),
              HasSubstr("no position was read twice"));
  EXPECT_THAT(verdict(timeless(ok(0, "append", "1", "1"))), HasSubstr("[position, event] was expected"));
  EXPECT_THAT(verdict(timeless(append("1", "1") + append("1", "2"))), HasSubstr("not appended before"));
  EXPECT_THAT(verdict(timeless(see("read", "nil", "[1]"))), HasSubstr("list of events"));
}

// ---- against all positions

TEST(ReadModel, InvalidExactlyWhenNoPositionsExplainIt) {
  std::mt19937 random(seed_or(7));
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::size_t valid = 0, invalid = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::map<int, int> real;  // what is in the log: events by position
    int furthest = 0, appended = 0;
    const bool lies = below(2) == 0;
    Clients clients(random, 2);
    const std::string text = clients.play(
        9,
        [&](int) {
          if (below(2) == 0 && appended < 5) return Begun{0, "append", std::to_string(++appended), appended};
          const std::string f =
              std::vector<std::string>{"read", "read-at", "replay"}[static_cast<std::size_t>(below(3))];
          const int position = below(furthest + 2);
          int asked = f == "read-at" ? position : below(position + 1);
          if (lies && below(8) == 0) ++asked;
          return Begun{0, f, f == "replay" ? "nil" : std::to_string(asked), position};
        },
        [&](Begun& one) -> Ended {
          if (one.f == "append") {
            const int fate = below(6);
            if (fate > 0 || below(2) == 0) furthest += 1 + below(2);
            const bool kept = fate > 1 || (fate == 0 && below(2) == 0);
            if (kept) real[furthest] = one.tag;
            if (fate == 0) return {"info", one.asked};
            if (!kept && !lies) return {"fail", one.asked};
            const int position = lies && below(6) == 0 ? std::max(1, furthest - 1) : furthest;
            return {"ok", "[" + std::to_string(std::max(1, position)) + " " + one.asked + "]"};
          }
          std::vector<int> events;
          for (const auto& [position, event] : real) {
            if (position <= one.tag) events.push_back(event);
          }
          if (lies && below(5) == 0 && !events.empty()) events.pop_back();
          if (lies && below(8) == 0 && events.size() > 1) std::swap(events[0], events[1]);
          std::string seen = "[" + std::to_string(one.tag) + " [";
          for (const int event : events) seen += std::to_string(event) + " ";
          return {"ok", seen + "]]"};
        });
    const History history = history_of(text);
    const auto result = judged("read-model", history, with("read-model", {{"read-model.lag", "0"}}));
    ASSERT_EQ(result.verdict != Verdict::invalid,
              testing_support::keeps_read_model(testing_support::calls_of(history), 0))
        << text << verdict(result);
    (result.verdict == Verdict::invalid ? invalid : valid) += 1;
  }
  EXPECT_GT(valid, 4000u);
  EXPECT_GT(invalid, 4000u);
}

}  // namespace
}  // namespace ordeal::work
