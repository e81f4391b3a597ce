#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/clients.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string cas(std::string_view asked, std::string_view type, std::string_view made, int process = 0) {
  return op(process, "cas-version", asked, type, made);
}
std::string read(std::string_view seen, int process = 9) { return ok(process, "read", "nil", seen); }

// Changes to versions 1, 2 and 3 with the values 1, 2 and 1, and an outdated try that is refused.
const std::string kBegun = read("[0 nil]") + cas("[0 1]", "ok", "[1 1]") + cas("[1 2]", "ok", "[2 2]") +
                           cas("[2 1]", "ok", "[3 1]") + cas("[1 3]", "fail", "[1 3]");

TEST(CasByVersion, SucceedsAgainstTheCurrentVersionOnly) {
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[3 1]"))), "valid");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[3 1]", "ok", "[7 1]") + read("[7 1]"))), "valid");
  const auto aba = judged("cas-by-version", kBegun + cas("[1 3]", "ok", "[4 3]") + read("[4 3]"));
  EXPECT_EQ(verdict(aba), "aba");
  EXPECT_THAT(aba.anomalies[0].explanation, HasSubstr("although version 3 came in between"));
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[2 3]", "ok", "[4 3]"))), "lost-update");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[0 3]", "ok", "[4 3]"))), "lost-update");
  EXPECT_EQ(verdict(judged("cas-by-version", read("[0 nil]") + cas("[0 1]", "info", "[0 1]", 4) + read("[1 1]") +
                                                 cas("[0 2]", "ok", "[2 2]"))),
            "stale-cas");
}

TEST(CasByVersion, VersionsGoForwardAndStandForOneValue) {
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[2 2]"))), "stale-read");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[3 2]"))), "version-reused");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[4 1]"))), "unexpected-version");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[3 5]", "ok", "[2 5]"))), "version-went-back");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[3 5]", "ok", "[4 5]") + cas("[3 6]", "ok", "[4 6]"))),
            "version-reused version-reused");
  // Read before it was made.
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[4 5]") + cas("[3 5]", "ok", "[4 5]"))),
            "unexpected-version");
}

TEST(CasByVersion, OneOfUnknownOutcomeMayHaveHappened) {
  const std::string crashed = kBegun + cas("[3 5]", "info", "[3 5]", 4);
  for (const char* seen : {"[3 1]", "[4 5]", "[9 5]"})
    EXPECT_EQ(verdict(judged("cas-by-version", crashed + read(seen))), "valid") << seen;
  EXPECT_EQ(verdict(judged("cas-by-version", crashed + read("[4 6]"))), "unexpected-version");
  EXPECT_EQ(verdict(judged("cas-by-version", crashed + read("[4 5]") + read("[3 1]"))), "stale-read");
  // A success that does not tell its version, in either way.
  for (const char* told : {"[nil 5]", "[3 5]"}) {
    const std::string untold = kBegun + cas("[3 5]", "ok", told);
    EXPECT_EQ(verdict(judged("cas-by-version", untold + read("[8 5]"))), "valid");
    EXPECT_EQ(verdict(judged("cas-by-version", untold + read("[3 1]"))), "stale-read");
    EXPECT_EQ(verdict(judged("cas-by-version", untold + cas("[3 5]", "ok", told) + read("[8 5]"))), "lost-update");
    EXPECT_EQ(verdict(judged("cas-by-version", untold + cas("[3 6]", "ok", "[8 6]"))), "lost-update");
  }
}

TEST(CasByVersion, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("cas-by-version", read("[0 nil]"))), HasSubstr("no compare-and-set succeeded"));
  EXPECT_THAT(verdict(judged("cas-by-version", cas("[0 1]", "ok", "[1 1]"))), HasSubstr("no read succeeded"));
  EXPECT_THAT(verdict(judged("cas-by-version", cas("[0 1]", "ok", "[1 1]") + read("[1 1]"))), HasSubstr("outdated"));
  EXPECT_THAT(verdict(judged("cas-by-version", kBegun + read("7"))), HasSubstr("[version, value] was expected"));
  EXPECT_THAT(verdict(judged("cas-by-version", kBegun + cas("[3 5]", "ok", "[4 6]"))), HasSubstr("was expected"));
  EXPECT_THAT(verdict(judged("cas-by-version", kBegun + ok(0, "write", "1"))), HasSubstr("not write"));
  // A version that only an operation of unknown outcome names.
  EXPECT_THAT(verdict(judged("cas-by-version", kBegun + cas("[3 5]", "info", "[3 5]", 4) +
                                                   cas("[5 6]", "info", "[5 6]", 5) + read("[7 6]"))),
              HasSubstr("nobody saw"));
}

// ---- against all orders

// A correct register, of which some answers are changed. Version 2 was made, and then version 0 tried.
std::string random_history(std::mt19937& random) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto pair = [](int version, int value) {
    return "[" + std::to_string(version) + " " + std::to_string(value) + "]";
  };
  int version = 2, value = 2;
  std::vector<std::pair<int, int>> asked;  // by tag: the version expected and the new value
  const bool lies = below(3) > 0;
  Clients clients(random, 3);
  const std::string text = clients.play(
      7,
      [&](int) {
        const auto tag = static_cast<int>(asked.size());
        asked.emplace_back(below(3) == 0 ? version - 1 + below(3) : version, 1 + below(2));
        if (below(3) == 0) return Begun{0, "read", "nil", tag};
        return Begun{0, "cas-version", pair(asked.back().first, asked.back().second), tag};
      },
      [&](Begun& one) -> Ended {
        const int fate = below(8);
        const auto [expected, written] = asked[static_cast<std::size_t>(one.tag)];
        const bool reads = one.f == "read", happens = !reads && expected == version && fate != 1;
        if (happens) {
          version += 1 + below(2);
          value = written;
        }
        const bool lie = lies && below(6) == 0;
        if (fate == 0 || (!reads && !happens && fate == 2)) return {"info", "nil"};
        if (reads)
          return {"ok", pair(version - (lie ? below(3) : 0) + (lie ? below(2) : 0),
                             lie && below(2) == 0 ? 1 + below(2) : value)};
        if (happens == lie) return {"fail", "nil"};
        if (below(4) == 0) return {"ok", "[nil " + std::to_string(written) + "]"};
        return {"ok", pair(happens ? version : expected + below(3), written)};
      });
  return ok(8, "cas-version", "[0 1]", "[1 1]") + ok(8, "cas-version", "[1 2]", "[2 2]") +
         ok(8, "read", "nil", "[2 2]") + op(8, "cas-version", "[0 1]", "fail", "[0 1]") + text;
}

TEST(CasByVersion, InvalidExactlyWhenNoOrderExplainsIt) {
  std::mt19937 random(seed_or(5));
  std::size_t invalid = 0, valid = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = random_history(random);
    const History h = history_of(text);
    const bool explained = testing_support::keeps_cas_by_version(testing_support::calls_of(h));
    const auto result = judged("cas-by-version", h);
    if (result.verdict == Verdict::unknown) {
      ASSERT_THAT(result.reason, HasSubstr("nobody saw")) << text;
      continue;
    }
    ASSERT_EQ(result.verdict == Verdict::valid, explained) << text << verdict(result);
    explained ? ++valid : ++invalid;
  }
  EXPECT_GT(valid, 4000u);
  EXPECT_GT(invalid, 2000u);
}

}  // namespace
}  // namespace ordeal::work
