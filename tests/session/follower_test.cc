#include "session/follower.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "checkers/catalogue.h"
#include "checkers/model_catalogue.h"
#include "session/conclusion.h"
#include "tests/support/program.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;

std::vector<ConfiguredChecker> registers() {
  CheckOptions options;
  options.model = "register";
  options.consistency = "linearizable";
  return {{*checker_for("register", "linearizable"), options}};
}

class FollowerTest : public ::testing::Test {
 protected:
  // An operation of process 0, one after the other.
  void operation(const std::string& f, const std::string& value, const std::string& key = "k") {
    std::ofstream out(path_, std::ios::app);
    for (const char* type : {"invoke", "ok"}) {
      const std::string n = std::to_string(next_++);
      out << R"({"index":)" << n << R"(,"time":)" << n << R"(,"process":0,"type":")" << type << R"(","f":")" << f
          << R"(","key":")" << key << R"(","value":)" << (f == "read" && std::string(type) == "invoke" ? "null" : value)
          << "}\n";
    }
  }
  // The time is for a machine that is busy.
  static bool found(const Follower& follower, int most_s = 60) {
    for (int i = 0; i < most_s * 100 && !follower.found().stop_requested(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return follower.found().stop_requested();
  }

  testing::TemporaryDirectory folder_;
  std::string path_ = folder_.path() + "/history.jsonl";
  int next_ = 0;
};

TEST_F(FollowerTest, SeesAnAnomalyThatComesWhileItFollows) {
  operation("write", "1");
  const Follower follower(path_, registers());
  operation("write", "2");
  operation("read", "2");
  EXPECT_FALSE(found(follower, 1));
  EXPECT_FALSE(follower.seen());
  operation("read", "1");
  ASSERT_TRUE(found(follower));
  const auto seen = follower.seen();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->type, "nonlinearizable");
  EXPECT_EQ(seen->completed_ns, 7);
  EXPECT_NE(seen->explanation.find("read 1"), std::string::npos) << seen->explanation;
}

TEST_F(FollowerTest, FollowsAJournalThatIsBegunAnew) {
  operation("write", "1");
  const Follower follower(path_, registers());
  for (int part = 0; part < 3; ++part) {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    operation("write", "2");
    fs::rename(path_, folder_.path() + "/part" + std::to_string(part));
    std::ofstream(path_).close();
  }
  operation("read", "2");
  EXPECT_FALSE(found(follower, 1)) << follower.seen()->explanation;
  operation("read", "1");
  EXPECT_TRUE(found(follower));
}

TEST_F(FollowerTest, SeesWhatIsWrongFarFromTheBeginning) {
  FollowLimits limits;
  limits.windows.events = 200;
  operation("write", "0");
  const Follower follower(path_, registers(), limits);
  for (int i = 1; i < 2000; ++i) operation("write", std::to_string(i));
  operation("read", "1998");
  EXPECT_TRUE(found(follower));
}

TEST_F(FollowerTest, TakesOnlyCheckersWhoseWordIsFinal) {
  auto all = registers();
  all.push_back({*find_checker("stats"), {}});
  all.push_back({*find_checker("set-full"), {}});
  EXPECT_EQ(Follower::followable(all).size(), 1u);
}

// What was seen while it ran decides nothing: without an anomaly in the whole such a run is not valid either.
TEST(EndedByAnAnomaly, IsNeverValid) {
  RunEnd end;
  end.how = RunEnd::How::anomaly;
  end.main_s = 3;
  Facts facts;
  facts.all.ok = 100;
  Plan plan;
  plan.time_limit_s = 60;
  EXPECT_EQ(shortfall(plan, end, {}, facts), "it ended early, after 3 of 60 s, when an anomaly was seen while it ran");
  const auto again = RunEnd::from_value(end.to_value());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->how, RunEnd::How::anomaly);
  end.how = RunEnd::How::complete;
  EXPECT_EQ(shortfall(plan, end, {}, facts), "");
}

}  // namespace
}  // namespace ordeal
