#include <algorithm>
#include <map>
#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/clients.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

std::string put(int process, std::string_view write, std::string_view type = "ok") {
  return op(process, "put", write, type, write);
}
std::string remove(int process, std::string_view timestamp, std::string_view type = "ok") {
  return op(process, "remove", timestamp, type, timestamp);
}
std::string read(int process, std::string_view value) { return ok(process, "read", "nil", value); }
std::string finals(std::string_view value) { return read(7, value) + read(8, value); }

// 1 was put with a greater timestamp than 2 after it.
const std::string kBegun = put(0, "[50 1]") + put(1, "[40 2]");

TEST(LwwMap, TheGreatestTimestampWins) {
  EXPECT_EQ(verdict(judged("lww-map", kBegun + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(2, "2") + put(3, "[30 3]") + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + finals("2"))), "wrong-winner wrong-winner");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + finals("nil"))), "wrong-winner wrong-winner");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + remove(0, "45") + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + remove(0, "60") + finals("nil"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + remove(0, "60") + finals("1"))),
            "resurrected-element resurrected-element");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + finals("3"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + put(0, "[60 3]", "fail") + finals("3"))), "unexpected-element");
}

TEST(LwwMap, EqualTimestampsEndAlike) {
  const std::string tie = kBegun + put(2, "[50 3]");
  EXPECT_EQ(verdict(judged("lww-map", tie + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", tie + finals("3"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", tie + read(7, "1") + read(8, "3"))), "divergence");
}

TEST(LwwMap, OneOfUnknownOutcome) {
  const std::string crashed = kBegun + put(2, "[60 3]", "info");
  for (const char* end : {"1", "3"}) EXPECT_EQ(verdict(judged("lww-map", crashed + finals(end))), "valid") << end;
  EXPECT_EQ(verdict(judged("lww-map", crashed + read(7, "3") + read(8, "1"))), "valid");  // it arrives
  EXPECT_EQ(verdict(judged("lww-map", crashed + read(4, "3") + put(5, "[45 4]") + finals("3"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", crashed + read(4, "3") + put(5, "[45 4]") + finals("1"))),
            "wrong-winner wrong-winner");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + put(2, "[45 3]", "info") + finals("3"))), "wrong-winner wrong-winner");
}

TEST(LwwMap, AReplicaDoesNotGoBack) {
  const std::string later = put(5, "[10 9]");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(0, "2") + later + finals("1"))), "value-went-back");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(1, "2") + read(1, "1") + read(1, "2") + later + finals("1"))),
            "value-went-back");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(0, "nil") + later + finals("1"))), "value-went-back");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(2, "nil") + later + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(0, "2") + later + finals("1"),
                           with("lww-map", {{"lww-map.sticky", "false"}}))),
            "valid");
}

TEST(LwwMap, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("lww-map", kBegun + read(7, "1"))), HasSubstr("by two processes"));
  EXPECT_THAT(verdict(judged("lww-map", finals("nil"))), HasSubstr("no write succeeded"));
  EXPECT_THAT(verdict(judged("lww-map", put(0, "[40 1]") + put(1, "[50 2]") + finals("2"))),
              HasSubstr("the last one wins anyhow"));
  EXPECT_THAT(verdict(judged("lww-map", put(0, "1"))), HasSubstr("[timestamp, value] was expected"));
  EXPECT_THAT(verdict(judged("lww-map", remove(0, "nil"))), HasSubstr("a timestamp was expected"));
  EXPECT_THAT(verdict(judged("lww-map", kBegun + event(7, "invoke", "read", "nil") + event(7, "ok", "read", ""))),
              HasSubstr("without a value"));
}

// ---- against all that replicas, one for each client, may hold

TEST(LwwMap, InvalidExactlyWhenNoReplicasExplainIt) {
  std::mt19937 random(seed_or(17));
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto shown = [](int value) { return value == 0 ? std::string("nil") : std::to_string(value); };
  std::size_t valid = 0, invalid = 0;
  std::map<std::string, int> types;
  for (int round = 0; round < 6000; ++round) {
    int greatest = 0, current = 0;            // what the steps so far would make of it
    std::vector<std::pair<int, int>> writes;  // by tag: timestamp and value, 0 for a remove
    Clients clients(random, 3);
    std::string text = clients.play(
        5,
        [&](int) {
          const auto tag = static_cast<int>(writes.size());
          if (below(3) == 0) return Begun{0, "read", "nil", tag};
          writes.emplace_back(1 + below(4), below(4));
          const std::string timestamp = std::to_string(writes.back().first);
          if (writes.back().second == 0) return Begun{0, "remove", timestamp, tag};
          return Begun{0, "put", "[" + timestamp + " " + shown(writes.back().second) + "]", tag};
        },
        [&](Begun& one) -> Ended {
          if (one.f == "read") return {"ok", shown(below(4) == 0 ? below(4) : current)};
          const int fate = below(8);
          const auto [timestamp, value] = writes[static_cast<std::size_t>(one.tag)];
          if (fate != 1 && timestamp >= greatest) {
            greatest = timestamp;
            current = value;
          }
          return {fate == 0 ? "info" : fate == 1 ? "fail" : "ok", ""};
        });
    for (const int p : {clients.any(), 50}) text += read(p, shown(below(3) == 0 ? below(4) : current));
    const History history = history_of(text);
    const auto result = judged("lww-map", history, with("lww-map", {{"lww-map.settle", "0"}}));
    ASSERT_EQ(result.verdict != Verdict::invalid, testing_support::keeps_lww_map(testing_support::calls_of(history), 0))
        << text << verdict(result);
    (result.verdict == Verdict::invalid ? invalid : valid) += 1;
    for (const auto& anomaly : result.anomalies) ++types[anomaly.type];
  }
  EXPECT_GT(valid, 1000u);
  EXPECT_GT(invalid, 1000u);
  for (const char* type :
       {"wrong-winner", "resurrected-element", "divergence", "value-went-back", "unexpected-element"})
    EXPECT_GT(types[type], 20) << type;
}

}  // namespace
}  // namespace ordeal::work
