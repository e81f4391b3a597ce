// The last record of a journal.

#include "harness/store/run_end.h"

#include <gtest/gtest.h>

namespace ordeal {
namespace {

std::optional<RunEnd> read(const std::string& json) { return RunEnd::from_value(*Value::from_json(json)); }

TEST(RunEnd, IsReadAsItWasWritten) {
  RunEnd end;
  end.how = RunEnd::How::failed;
  end.main_s = 3.5;
  end.time_limit_s = 60;
  end.final_phase = RunEnd::FinalPhase::cut_short;
  end.unrecovered = {{"n2", true, "no answer"}, {"", false, "no leader"}};
  end.workers = 10;
  end.lost_workers = 2;
  end.stuck_threads = 3;
  end.failure = "disk full";
  const auto again = RunEnd::from_value(end.to_value());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->to_value(), end.to_value());
  EXPECT_EQ(again->how, RunEnd::How::failed);
  EXPECT_EQ(again->final_phase, RunEnd::FinalPhase::cut_short);
  EXPECT_TRUE(again->unrecovered.at(0).ended);
  EXPECT_EQ(again->workers, 10U);
  EXPECT_EQ(again->lost_workers, 2U);
  EXPECT_EQ(again->stuck_threads, 3U);
}

TEST(RunEnd, OtherEventsAreNone) {
  EXPECT_FALSE(read("null"));
  EXPECT_FALSE(read(R"({"step":"plan"})"));
  EXPECT_FALSE(read(R"({"step":"end","id":3})")) << "a step of an injection";
  EXPECT_FALSE(read(R"({"how":"complete"})"));
}

// Whatever a version to come may say, or a hand may spoil, is not taken for a good end.
TEST(RunEnd, AnUnknownWordIsNoGoodEnd) {
  EXPECT_EQ(read(R"({"step":"end","how":"splendid"})")->how, RunEnd::How::failed);
  EXPECT_EQ(read(R"({"step":"end"})")->how, RunEnd::How::failed);
  EXPECT_EQ(read(R"({"step":"end","how":"complete","final_phase":7})")->final_phase, RunEnd::FinalPhase::left_out);
}

}  // namespace
}  // namespace ordeal
