#include "session/campaign/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ordeal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A campaign of one run that ended so.
struct One {
  Campaign campaign;
  CampaignOutcome outcome;

  explicit One(Standing standing, const std::string& text = "because") {
    campaign.name = "c";
    PlannedRun run;
    run.name = "memory register seed=1";
    campaign.runs.push_back(run);
    CampaignOutcome::Run ended;
    ended.standing = standing;
    ended.record.told = ended.record.reason = ended.record.error = text;
    if (standing == Standing::not_started || standing == Standing::not_needed) ended.why = text;
    CheckRecord check;
    check.title = "linearizable";
    const bool found = standing == Standing::invalid || standing == Standing::expected;
    check.verdict = found ? Verdict::invalid : standing == Standing::unknown ? Verdict::unknown : Verdict::valid;
    check.told = text;
    ended.record.checks.push_back(check);
    outcome.runs.push_back(ended);
  }
};

TEST(Gate, WhatIsNotGreenIsAnErrorOrAFailure) {
  for (const Standing standing :
       {Standing::valid, Standing::expected, Standing::invalid, Standing::failed, Standing::refused, Standing::unknown,
        Standing::vanished, Standing::not_started, Standing::not_needed}) {
    const One one(standing);
    const std::string junit = campaign_junit(one.campaign, one.outcome);
    const bool red = junit.find("<failure") != std::string::npos || junit.find("<error") != std::string::npos;
    EXPECT_EQ(red, !is_green(standing)) << name(standing) << junit;
    EXPECT_EQ(junit.find("<failure") != std::string::npos, standing == Standing::invalid) << junit;
    EXPECT_EQ(campaign_annotations(one.campaign, one.outcome).size(), is_green(standing) ? 0u : 1u) << name(standing);
    EXPECT_THAT(campaign_markdown(one.campaign, one.outcome), HasSubstr(std::string(name(standing))));
  }
}

TEST(Gate, TextsOfOthersAreNeitherMarkupNorCommands) {
  const One one(Standing::invalid, "<b>|`x`\n::set-output name=a::b\x1b[31m</b> [l](http://h) 100%, a:b");
  const std::string junit = campaign_junit(one.campaign, one.outcome);
  EXPECT_THAT(junit, AllOf(Not(HasSubstr("<b>")), HasSubstr("&lt;b&gt;"), Not(HasSubstr("\x1b"))));
  const std::string markdown = campaign_markdown(one.campaign, one.outcome);
  EXPECT_THAT(markdown, AllOf(Not(HasSubstr("<b>")), Not(HasSubstr("`x`")), Not(HasSubstr("\n::")),
                              Not(HasSubstr("[l]")), Not(HasSubstr("\x1b"))));
  const auto annotations = campaign_annotations(one.campaign, one.outcome);
  ASSERT_EQ(annotations.size(), 1u);
  EXPECT_THAT(annotations[0], AllOf(::testing::StartsWith("::error title=memory register seed=1 is invalid::<b>"),
                                    Not(HasSubstr("\n")), HasSubstr("%0A"), HasSubstr("100%25")));
}

TEST(Gate, ASummaryHasAnEnd) {
  One one(Standing::failed, std::string(1000, '*'));
  one.campaign.runs.resize(20'000, one.campaign.runs.front());
  one.outcome.runs.resize(20'000, one.outcome.runs.front());
  const std::string markdown = campaign_markdown(one.campaign, one.outcome);
  EXPECT_LT(markdown.size(), 1u << 20);
  EXPECT_THAT(markdown, HasSubstr("more runs are in results.json"));
}

}  // namespace
}  // namespace ordeal
