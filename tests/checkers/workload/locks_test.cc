#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string take(int process, std::string_view token = "nil", std::string_view type = "ok") {
  return op(process, "acquire", "nil", type, token);
}
std::string give(int process, std::string_view type = "ok") { return op(process, "release", "nil", type, "nil"); }

TEST(Lock, OneHolderAtATime) {
  EXPECT_EQ(verdict(judged("lock", take(0) + give(0) + take(1) + give(1) + take(0))), "valid");
  const auto two = judged("lock", take(0) + take(1) + give(0) + give(1));
  EXPECT_EQ(verdict(two), "two-holders");
  EXPECT_THAT(two.anomalies[0].operations, ElementsAre(0, 2, 4));
  EXPECT_EQ(verdict(judged("lock", take(0) + take(1, "nil", "fail") + take(2, "nil", "info") + give(0) + take(1))),
            "valid");
}

TEST(Lock, AReleaseFreesItFromItsInvocation) {
  for (const char* type : {"ok", "fail", "info"}) {
    EXPECT_EQ(verdict(judged(
                  "lock", take(0) + event(0, "invoke", "release", "nil") + take(1) + event(0, type, "release", "nil"))),
              "valid");
  }
}

TEST(Lock, AHolderOfWhichNothingMoreIsHeardHoldsOn) {
  EXPECT_EQ(verdict(judged("lock", take(0) + take(1) + give(1))), "two-holders");
  EXPECT_EQ(verdict(judged("lock", take(0) + take(1) + take(2))), "two-holders");
  // Clients are closed when nothing is invoked any more: then the last acquisition may have been granted.
  EXPECT_THAT(verdict(judged("lock", take(0) + give(0) + take(0) + take(1))), HasSubstr("held in the end"));
  // Its next operation crashed, and its client with it.
  EXPECT_EQ(verdict(judged("lock", take(0) + take(0, "nil", "info") + take(1) + give(1))), "valid");
  EXPECT_EQ(verdict(judged("lock", take(0) + take(1) + take(0, "nil", "fail"))), "two-holders");
}

TEST(Lock, LongHoldsAreRememberedBehindShortOnes) {
  EXPECT_EQ(verdict(judged("lock", take(0) + take(1) + give(1) + take(2) + give(2) + give(0))),
            "two-holders two-holders");
}

TEST(Lock, KeysAreLocksOfTheirOwn) {
  EXPECT_EQ(verdict(judged("lock", history_of(ok(0, "acquire", "[:a nil]") + ok(1, "acquire", "[:b nil]") +
                                                  ok(0, "release", "[:a nil]") + ok(2, "acquire", "[:a nil]"),
                                              true))),
            "valid");
}

TEST(Lock, TokensGrow) {
  EXPECT_EQ(verdict(judged("lock", take(0, "1") + give(0) + take(1, "5") + give(1))), "valid");
  for (const char* token : {"4", "5"}) {
    const auto back = judged("lock", take(0, "5") + give(0) + take(1, token) + give(1));
    EXPECT_EQ(verdict(back), "token-went-back");
    EXPECT_THAT(back.anomalies[0].operations, ElementsAre(0, 4));
  }
  // Concurrent acquisitions have no order; one that failed has no token.
  EXPECT_EQ(verdict(judged("lock", event(0, "invoke", "acquire", "nil") + take(1, "1") + give(1) +
                                       event(0, "ok", "acquire", "0") + give(0))),
            "valid");
  EXPECT_EQ(verdict(judged("lock", take(0, "5") + give(0) + take(1, "1", "fail") + take(2, "6"))), "valid");
  // What the client gave itself is no token.
  EXPECT_EQ(verdict(judged("lock", ok(0, "acquire", "9") + give(0) + ok(1, "acquire", "3") + give(1))), "valid");
}

TEST(Lock, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("lock", take(0))), HasSubstr("less than twice"));
  EXPECT_THAT(verdict(judged("lock", take(0) + give(0) + take(0) + give(0))), HasSubstr("by two processes"));
  EXPECT_THAT(verdict(judged("lock", take(0) + ok(0, "steal", "nil"))), HasSubstr("not steal"));
}

std::string win(int process, std::string_view name, std::string_view term) {
  return ok(process, "campaign", name, term);
}
std::string resign(int process) { return ok(process, "resign", "nil"); }
std::string look(std::string_view term, std::string_view name) {
  return ok(9, "leader", "nil", "{:term " + std::string(term) + " :leader " + std::string(name) + "}");
}

TEST(LeaderElection, OneLeaderATerm) {
  EXPECT_EQ(verdict(judged("leader-election", win(0, ":a", "1") + look("1", ":a") + resign(0) + look("1", "nil") +
                                                  win(1, ":b", "2") + look("2", ":b"))),
            "valid");
  EXPECT_THAT(verdict(judged("leader-election", event(1, "invoke", "campaign", ":b") + win(0, ":a", "1") +
                                                    look("1", ":b") + resign(0) + event(1, "ok", "campaign", "2"))),
              HasSubstr("two-leaders"));
  EXPECT_EQ(verdict(judged("leader-election", win(0, ":a", "1") + resign(0) + win(1, ":b", "1"))), "two-leaders");
  EXPECT_EQ(verdict(judged("leader-election", win(0, ":a", "1") + win(1, ":b", "2") + resign(0))), "two-holders");
}

TEST(LeaderElection, TermsGrow) {
  EXPECT_EQ(verdict(judged("leader-election", win(0, ":a", "2") + resign(0) + win(1, ":b", "3") + look("2", ":a"))),
            "term-went-back");
  EXPECT_EQ(
      verdict(judged("leader-election", win(0, ":a", "2") + resign(0) + event(9, "invoke", "leader", "nil") +
                                            win(1, ":b", "3") + event(9, "ok", "leader", "{:term 2 :leader :a}"))),
      "valid");
}

TEST(LeaderElection, LeadersThatNeverStood) {
  const std::string two = win(0, ":a", "1") + resign(0) + win(1, ":b", "2");
  EXPECT_EQ(verdict(judged("leader-election", two + look("2", ":b") + resign(1))), "valid");
  EXPECT_EQ(verdict(judged("leader-election", two + look("3", ":nobody") + resign(1))), "unexpected-leader");
  EXPECT_EQ(verdict(judged("leader-election", two + look("3", ":b") + resign(1))), "unexpected-leader");
  EXPECT_EQ(
      verdict(judged("leader-election", two + resign(1) + op(5, "campaign", ":c", "fail", "nil") + look("3", ":c"))),
      "unexpected-leader");
  EXPECT_EQ(
      verdict(judged("leader-election", two + resign(1) + op(5, "campaign", ":c", "info", "nil") + look("3", ":c"))),
      "valid");
}

// A leader was taken for elected in a term that it got only after it had been seen: a false valid.
TEST(RegressLeaderElection, NobodyLeadsInATermToCome) {
  const std::string first = win(0, ":a", "1") + resign(0) + win(1, ":b", "2") + resign(1);
  EXPECT_EQ(verdict(judged("leader-election", first + win(0, ":a", "3") + look("3", ":a") + resign(0))), "valid");
  EXPECT_EQ(verdict(judged("leader-election", first + look("3", ":a") + win(0, ":a", "4") + resign(0))),
            "unexpected-leader");
  EXPECT_THAT(verdict(judged("leader-election", first + look("3", ":a") + win(0, ":a", "3") + resign(0))),
              HasSubstr("unexpected-leader"));
}

TEST(LeaderElection, WithoutTerms) {
  const auto elected = [](int process, std::string_view name) { return ok(process, "campaign", name); };
  const auto who = [](std::string_view name) { return ok(9, "leader", "nil", name); };
  const std::string first = elected(0, "\"a\"") + who("\"a\"") + resign(0) + elected(1, "\"b\"");
  EXPECT_EQ(verdict(judged("leader-election", first + who("{:leader \"b\"}") + resign(1))), "valid");
  EXPECT_EQ(verdict(judged("leader-election", first + who("\"a\"") + resign(1))), "stale-leader");
  EXPECT_EQ(verdict(judged("leader-election", first + who("\"z\"") + resign(1))), "unexpected-leader");
  EXPECT_EQ(verdict(judged("leader-election", first + elected(2, "\"c\"") + resign(1))), "two-holders");
  EXPECT_EQ(verdict(judged("leader-election", first + resign(1) + who("\"a\""))), "valid");
}

TEST(LeaderElection, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("leader-election", win(0, ":a", "1"))), HasSubstr("fewer than two leaders"));
  EXPECT_THAT(verdict(judged("leader-election", win(0, ":a", "1") + ok(9, "leader", "nil", "[1]"))),
              HasSubstr("was expected"));
}

}  // namespace
}  // namespace ordeal::work
