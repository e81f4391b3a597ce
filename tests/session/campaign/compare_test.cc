#include "session/campaign/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "session/campaign/repro.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Side::Run ended(const std::string& name, Verdict verdict, std::vector<std::string> anomalies = {}, double seconds = 10,
                const std::string& error = "") {
  RunRecord record;
  record.verdict = verdict;
  record.anomalies = std::move(anomalies);
  record.seconds = seconds;
  record.error = error;
  return {name, record};
}

// "kind run: text" of each difference between two sides of these runs.
std::vector<std::string> differences(std::vector<Side::Run> before, std::vector<Side::Run> after) {
  std::vector<std::string> out;
  for (const auto& one : compare({"a", std::move(before)}, {"b", std::move(after)})) {
    out.push_back(std::string(name(one.kind)) + " " + one.run + ": " + one.text);
  }
  return out;
}

const Side::Run kValid = ended("r", Verdict::valid);

TEST(Compare, TheSameIsNoDifference) {
  EXPECT_THAT(differences({kValid}, {kValid}), IsEmpty());
  EXPECT_THAT(differences({ended("r", Verdict::invalid, {"a", "b"})}, {ended("r", Verdict::invalid, {"a", "b"})}),
              IsEmpty());
  // Order does not matter, nor a time that is a little longer.
  EXPECT_THAT(differences({kValid, ended("s", Verdict::valid)},
                          {ended("s", Verdict::valid), ended("r", Verdict::valid, {}, 14)}),
              IsEmpty());
}

TEST(Compare, NewAndGoneAreNamedByType) {
  EXPECT_THAT(differences({kValid}, {ended("r", Verdict::invalid, {"stale-read"})}), ElementsAre("new r: stale-read"));
  EXPECT_THAT(differences({ended("r", Verdict::invalid, {"stale-read"})}, {kValid}), ElementsAre("gone r: stale-read"));
  EXPECT_THAT(differences({ended("r", Verdict::invalid, {"a", "b"})}, {ended("r", Verdict::invalid, {"b", "c"})}),
              ElementsAre("new r: c", "gone r: a"));
}

TEST(Compare, NothingIsGoneThatWasNotLookedFor) {
  const auto invalid = ended("r", Verdict::invalid, {"stale-read"});
  EXPECT_THAT(differences({invalid}, {ended("r", Verdict::unknown)}), ElementsAre("verdict r: invalid, then unknown"));
  EXPECT_THAT(differences({invalid}, {ended("r", Verdict::unknown, {}, 10, "no nodes")}),
              ElementsAre("verdict r: invalid, then failed: no nodes"));
  EXPECT_THAT(differences({invalid}, {{"r", std::nullopt}}), ElementsAre("verdict r: invalid, then not played"));
  EXPECT_THAT(differences({invalid}, {}), ElementsAre("only before r: invalid"));
}

TEST(Compare, AnAnomalyOfARunThatWasNotThereIsNew) {
  EXPECT_THAT(differences({}, {ended("r", Verdict::invalid, {"a"})}), ElementsAre("new r: a", "only after r: invalid"));
}

TEST(Compare, SlowerIsHalfAsLongAgainAndASecond) {
  EXPECT_THAT(differences({kValid}, {ended("r", Verdict::valid, {}, 16)}),
              ElementsAre("slower r: 10.0 s, then 16.0 s"));
  EXPECT_THAT(differences({ended("r", Verdict::valid, {}, 0.2)}, {ended("r", Verdict::valid, {}, 0.9)}), IsEmpty());
  EXPECT_THAT(differences({ended("r", Verdict::valid, {}, 20)}, {kValid}),
              ElementsAre("faster r: 20.0 s, then 10.0 s"));
}

// Its ends are the p for which the observed rate is just 1.96 standard errors away: (x/n - p)^2 = z^2 p (1 - p) / n.
TEST(Rate, IsWilsonsInterval) {
  const Rate some = rate_of(7, 20);
  EXPECT_NEAR(some.low, 0.18119, 1e-5);
  EXPECT_NEAR(some.high, 0.56715, 1e-5);
  EXPECT_EQ(told(some), "7 of 20 (35 %; 95 % interval 18 % to 57 %)");
  const Rate none = rate_of(0, 20);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.16113, 1e-5);
  const Rate all = rate_of(20, 20);
  EXPECT_NEAR(all.low, 0.83887, 1e-5);
  EXPECT_EQ(all.high, 1);
  EXPECT_EQ(told(rate_of(0, 0)), "0 of 0");
  // Exhaustive: the rate is within, and the interval within 0 and 1.
  for (std::size_t n = 1; n <= 60; ++n) {
    for (std::size_t x = 0; x <= n; ++x) {
      const Rate rate = rate_of(x, n);
      const double p = static_cast<double>(x) / static_cast<double>(n);
      EXPECT_LE(rate.low, p);
      EXPECT_GE(rate.high, p);
      EXPECT_GE(rate.low, 0);
      EXPECT_LE(rate.high, 1);
      const double z = 1.959963984540054;
      for (const double end : {rate.low, rate.high}) {
        const double error = end * (1 - end) / static_cast<double>(n);
        EXPECT_NEAR((p - end) * (p - end), z * z * error, 1e-12) << x << " of " << n;
      }
    }
  }
}

TEST(Repro, OnlyWhatHasAVerdictCounts) {
  CampaignOutcome outcome;
  const auto add = [&](Standing standing, Verdict verdict, std::vector<std::string> anomalies = {}) {
    CampaignOutcome::Run run;
    run.standing = standing;
    run.record.verdict = verdict;
    run.record.anomalies = std::move(anomalies);
    outcome.runs.push_back(run);
  };
  add(Standing::valid, Verdict::valid);
  add(Standing::invalid, Verdict::invalid, {"stale-read"});
  add(Standing::invalid, Verdict::invalid, {"lost-write"});
  add(Standing::unknown, Verdict::unknown);
  add(Standing::failed, Verdict::unknown);
  add(Standing::not_started, Verdict::unknown);
  const ReproRates rates = rates_of({"stale-read"}, outcome);
  EXPECT_EQ(rates.invalid.seen, 2u);
  EXPECT_EQ(rates.invalid.of, 3u);
  EXPECT_EQ(rates.same.seen, 1u);
  EXPECT_EQ(rates.undecided, 3u);
}

}  // namespace
}  // namespace ordeal
