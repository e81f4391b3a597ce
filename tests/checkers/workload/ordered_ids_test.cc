#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Call {
  int process;
  std::int64_t begin_ms, end_ms;
  std::string id;
  const char* type = "ok";
};

std::string history(std::vector<Call> calls) {
  std::vector<std::pair<std::int64_t, std::string>> events;
  for (const Call& one : calls) {
    const std::string head = "{:process " + std::to_string(one.process) + " :f :generate :time ";
    events.emplace_back(one.begin_ms * 2, head + std::to_string(one.begin_ms) + "000000 :type :invoke}\n");
    events.emplace_back(one.end_ms * 2 + 1,
                        head + std::to_string(one.end_ms) + "000000 :type :" + one.type + " :value " + one.id + "}\n");
  }
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [time, text] : events) out += text;
  return out;
}

const CheckOptions kTen = with("ordered-ids", {{"ordered-ids.tolerance", "10ms"}});

TEST(OrderedIds, GreaterThanThoseOfLongAgo) {
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 1, "5"}, {1, 12, 13, "9"}}), kTen)), "valid");
  const auto back = judged("ordered-ids", history({{0, 0, 1, "5"}, {1, 12, 13, "4"}}), kTen);
  EXPECT_EQ(verdict(back), "id-went-back");
  EXPECT_THAT(back.anomalies[0].operations, ElementsAre(0, 2));
  // As far apart as clocks may be.
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 1, "5"}, {1, 11, 12, "4"}, {2, 30, 31, "7"}}), kTen)),
            "valid");
  // One that was under way in between took place at any moment.
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 20, "5"}, {1, 25, 26, "4"}, {2, 40, 41, "7"}}), kTen)),
            "valid");
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 1, "5"}, {1, 2, 40, "4"}, {2, 40, 41, "7"}}), kTen)),
            "valid");
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 1, "5", "info"}, {1, 20, 21, "4"}, {2, 40, 41, "7"}}), kTen)),
            "valid");
}

TEST(OrderedIds, NoneTwice) {
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 1, "5"}, {1, 2, 3, "5"}, {2, 40, 41, "7"}}), kTen)),
            "duplicate-id");
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 1, "5"}, {1, 40, 41, "5"}}), kTen)), "duplicate-id");
}

TEST(OrderedIds, OfOneClient) {
  const std::string history_of_two = history({{0, 0, 1, "5"}, {0, 2, 3, "4"}, {1, 40, 41, "7"}});
  EXPECT_EQ(verdict(judged("ordered-ids", history_of_two, kTen)), "valid");
  const CheckOptions each =
      with("ordered-ids", {{"ordered-ids.tolerance", "10ms"}, {"ordered-ids.per-client", "true"}});
  EXPECT_EQ(verdict(judged("ordered-ids", history_of_two, each)), "id-went-back");
}

TEST(OrderedIds, TextsOfOneLength) {
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 1, "\"018f-a\""}, {1, 40, 41, "\"018f-b\""}}), kTen)),
            "valid");
  EXPECT_EQ(verdict(judged("ordered-ids", history({{0, 0, 1, "\"018f-b\""}, {1, 40, 41, "\"018f-a\""}}), kTen)),
            "id-went-back");
  EXPECT_THAT(verdict(judged("ordered-ids", history({{0, 0, 1, "\"9\""}, {1, 40, 41, "\"10\""}}), kTen)),
              HasSubstr("as long as the others"));
  EXPECT_THAT(verdict(judged("ordered-ids", history({{0, 0, 1, "\"9\""}, {1, 40, 41, "10"}}), kTen)),
              HasSubstr("was expected"));
  EXPECT_THAT(verdict(judged("ordered-ids", history({{0, 0, 1, "nil"}}), kTen)), HasSubstr("was expected"));
}

TEST(OrderedIds, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("ordered-ids", history({{0, 0, 1, "5"}, {1, 5, 6, "6"}}), kTen)),
              HasSubstr("further apart"));
  EXPECT_THAT(verdict(judged("ordered-ids", ok(0, "generate", "nil", "1"), kTen)), HasSubstr("no times"));
}

TEST(OrderedIds, AgreeWithTheDefinition) {
  std::mt19937 random(seed_or(3));
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::size_t invalid = 0, valid = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<Call> calls;
    for (int p = 0; p < 6; ++p) {
      const std::int64_t begin = below(60);
      const std::int64_t end = begin + 1 + below(15);
      calls.push_back({p, begin, end,
                       std::to_string((begin + below(below(2) == 0 ? 5 : 28)) * 10 + (below(8) == 0 ? 0 : p)),
                       below(8) == 0 ? "info" : "ok"});
    }
    const History all = history_of(history(calls));
    const bool broken = !testing_support::keeps_ordered_ids(testing_support::calls_of(all), 10'000'000);
    bool compared = false;
    for (const Call& a : calls) {
      for (const Call& b : calls) {
        if (a.process == b.process || std::string_view(a.type) != "ok" || std::string_view(b.type) != "ok") continue;
        compared = compared || b.begin_ms - a.end_ms > 10;
      }
    }
    const auto result = judged("ordered-ids", all, kTen);
    const Verdict expected = broken ? Verdict::invalid : compared ? Verdict::valid : Verdict::unknown;
    ASSERT_EQ(result.verdict, expected) << history(calls) << verdict(result);
    (broken ? invalid : valid) += 1;
  }
  EXPECT_GT(valid, 500u);
  EXPECT_GT(invalid, 300u);
}

}  // namespace
}  // namespace ordeal::work
