// Which faults a run is to have, from what people wrote.
#include "nemesis/fault_names.h"

#include <gmock/gmock.h>

#include "nemesis/catalogue.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(WantedFaults, AreThoseNamedOrThoseOfTheTimeline) {
  const std::vector<std::string> two = {"kill", "pause", "kill"};
  EXPECT_THAT(wanted_faults(&two, "")->names, ElementsAre("kill", "pause"));
  EXPECT_FALSE(wanted_faults(&two, "")->only_applicable);
  const std::vector<std::string> all = {"all"};
  EXPECT_EQ(wanted_faults(&all, "")->names.size(), faults().size());
  EXPECT_TRUE(wanted_faults(&all, "")->only_applicable);
  const std::string timeline = R"([{"fault":"restart"},{"fault":"kill"}])";
  EXPECT_THAT(wanted_faults(nullptr, timeline)->names, ElementsAre("restart", "kill"));
  const std::vector<std::string> none = {"none"};
  EXPECT_THAT(wanted_faults(&none, timeline)->names, IsEmpty()) << "--nemesis none switches a campaign's faults off";
  const auto superfluous = wanted_faults(&two, timeline);
  ASSERT_FALSE(superfluous);
  EXPECT_THAT(superfluous.error().message, HasSubstr("no fault \"pause\""));
  EXPECT_FALSE(wanted_faults(nullptr, R"([{"fault":"kil"}])"));
}

// A list of choices whose second was empty: its runs had a timeline, no faults, and were valid.
TEST(WantedFaults, RegressAnEmptyChoiceDoesNotTakeTheTimelineAway) {
  const std::vector<std::string> nothing;
  const auto wanted = wanted_faults(&nothing, R"([{"fault":"restart"}])");
  ASSERT_FALSE(wanted);
  EXPECT_THAT(wanted.error().message, HasSubstr("an empty choice of faults beside a timeline"));
  EXPECT_THAT(wanted_faults(&nothing, "")->names, IsEmpty());
}

}  // namespace
}  // namespace ordeal
