#include <map>
#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/clients.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

std::string add(int process, std::string_view element, std::string_view type = "ok") {
  return op(process, "add", element, type, element);
}
std::string remove(int process, std::string_view element, std::string_view type = "ok") {
  return op(process, "remove", element, type, element);
}
std::string read(int process, std::string_view elements) { return ok(process, "read", "nil", elements); }
// By two clients, and the end.
std::string finals(std::string_view elements) { return read(7, elements) + read(8, elements); }

// Element 9 was added and removed by one client.
const std::string kBegun = add(5, "9") + remove(5, "9");

TEST(OrSet, AnAddStaysUnlessItWasObserved) {
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + finals("[1]"))), "valid");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + finals("[]"))), "lost-element");
  // Somebody else's remove may have observed it, or not.
  for (const char* end : {"[]", "[1]"})
    EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + remove(1, "1") + finals(end))), "valid") << end;
  // Its own client's has, and so has one that had read it.
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + remove(0, "1") + finals("[1]"))), "kept-element");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + read(1, "[1]") + remove(1, "1") + finals("[1]"))),
            "kept-element");
  // Of two adds the remove need not have observed the second; the one before it was over it cannot have.
  EXPECT_EQ(
      verdict(judged("or-set", kBegun + add(0, "1") + add(2, "1") + read(1, "[1]") + remove(1, "1") + finals("[1]"))),
      "valid");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + remove(0, "1") + add(2, "1") + finals("[]"))),
            "lost-element");
  // At the same time, the add wins or was observed.
  for (const char* end : {"[]", "[1]"})
    EXPECT_EQ(verdict(judged("or-set", kBegun + event(0, "invoke", "add", "1") + remove(1, "1") +
                                           event(0, "ok", "add", "1") + finals(end))),
              "valid");
}

TEST(OrSet, RemovedElementsDoNotComeBack) {
  const std::string removed = kBegun + add(0, "1") + read(1, "[1]") + remove(1, "1");
  const std::string later = add(5, "9") + remove(5, "9");
  EXPECT_EQ(verdict(judged("or-set", removed + read(1, "[1]") + later + finals("[]"))), "resurrected-element");
  EXPECT_EQ(verdict(judged("or-set", removed + read(2, "[1]") + later + finals("[]"))),
            "valid");  // another replica is late
  EXPECT_EQ(verdict(judged("or-set", removed + add(0, "1") + read(1, "[1]") + finals("[1]"))), "valid");
  // A client that meets any replica learns nothing from what it did.
  EXPECT_EQ(verdict(judged("or-set", removed + read(1, "[1]") + later + finals("[]"),
                           with("or-set", {{"or-set.sticky", "false"}}))),
            "valid");
  EXPECT_EQ(verdict(judged("or-set", removed + finals("[1]"), with("or-set", {{"or-set.sticky", "false"}}))), "valid");
}

TEST(OrSet, ReplicasAgree) {
  const std::string maybe = kBegun + add(0, "1") + remove(1, "1");
  EXPECT_EQ(verdict(judged("or-set", maybe + read(7, "[]") + read(8, "[1]"))), "divergence");
  EXPECT_EQ(verdict(judged("or-set", maybe + read(7, "[]") + read(8, "[1]") + read(8, "[]"))), "valid");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1", "info") + read(7, "[]") + read(8, "[1]"))), "valid");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + remove(1, "1", "info") + read(7, "[1]") + read(8, "[]"))),
            "valid");
  // What was seen of it before the last update has arrived everywhere.
  EXPECT_EQ(verdict(judged("or-set", add(0, "1", "info") + read(1, "[1]") + kBegun + read(7, "[]") + read(8, "[1]"))),
            "lost-element");
  // A client's own replica had it.
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1", "info") + read(7, "[1]") + read(7, "[]") + read(8, "[]"))),
            "lost-element");
  EXPECT_EQ(verdict(judged("or-set", kBegun + finals("[1]"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1", "fail") + finals("[1]"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + finals("[1 1]"))), "duplicate-element duplicate-element");
}

TEST(OrSet, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("or-set", kBegun + add(0, "1") + read(7, "[1]"))), HasSubstr("fewer than two"));
  EXPECT_THAT(verdict(judged("or-set", remove(0, "1") + finals("[]"))), HasSubstr("no add"));
  EXPECT_THAT(verdict(judged("or-set", add(0, "1") + finals("[1]"))), HasSubstr("no remove"));
  EXPECT_THAT(verdict(judged("or-set", add(0, "1") + remove(1, "1") + finals("[1]"))), HasSubstr("lacks an element"));
  EXPECT_THAT(verdict(judged("or-set", kBegun + read(7, "1"))), HasSubstr("a list of elements"));
}

// ---- against all executions of replicas, one for each client, on one element

TEST(OrSet, InvalidExactlyWhenNoReplicasExplainIt) {
  std::mt19937 random(seed_or(13));
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::size_t valid = 0, invalid = 0;
  std::map<std::string, int> types;
  for (int round = 0; round < 6'000; ++round) {
    Clients clients(random, 3);
    std::string text = clients.play(
        2 + below(4),
        [&](int) {
          const int kind = below(5);
          return Begun{0, kind < 2 ? "add" : kind < 4 ? "remove" : "read", kind < 4 ? "1" : "nil", 0};
        },
        [&](Begun& one) -> Ended {
          const int fate = below(8);
          if (one.f == "read") return {"ok", fate > 2 ? "[1]" : "[]"};
          return {fate == 0 ? "info" : fate == 1 ? "fail" : "ok", "1"};
        });
    text += read(clients.any(), below(2) == 0 ? "[1]" : "[]") + read(50, below(2) == 0 ? "[1]" : "[]");
    const History history = history_of(text);
    const auto result = judged("or-set", history, with("or-set", {{"or-set.settle", "0"}}));
    ASSERT_EQ(result.verdict != Verdict::invalid, testing_support::keeps_or_set(testing_support::calls_of(history), 0))
        << text << verdict(result);
    (result.verdict == Verdict::invalid ? invalid : valid) += 1;
    for (const auto& anomaly : result.anomalies) ++types[anomaly.type];
  }
  EXPECT_GT(valid, 1500u);
  EXPECT_GT(invalid, 1500u);
  for (const char* type : {"lost-element", "kept-element", "divergence", "resurrected-element", "unexpected-element"})
    EXPECT_GT(types[type], 20) << type;
}

}  // namespace
}  // namespace ordeal::work
