// Timelines, triggers and lanes: what a driver plays, from the texts that people write.
#include "nemesis/engine/lanes.h"

#include <gmock/gmock.h>

#include "nemesis/catalogue.h"
#include "nemesis/engine/timeline.h"
#include "nemesis/node_needs.h"
#include "tests/nemesis/recording_node.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing_support::RecordingNode;

// Has processes and leaders and a log, but no membership.
class LoggedTarget final : public Target, public Target::Files, public Target::Roles, public Target::Processes {
 public:
  std::string_view name() const override { return "logged"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override { return fail(ErrorCode::unsupported, "no clients"); }
  std::vector<std::string> log_files(const Node&) const override { return {"/var/log/it"}; }
  const Target::Files* files() const override { return this; }
  Target::Roles* roles() override { return this; }
  Target::Processes* processes() override { return this; }
  Result<std::vector<std::size_t>> primaries(Deadline) override { return std::vector<std::size_t>{0}; }
  Result<void> kill(Node&) override { return {}; }
  Result<void> pause(Node&) override { return {}; }
  Result<void> resume(Node&) override { return {}; }
  Result<std::vector<int>> pids(Node&) override { return std::vector<int>{}; }
};

class LanesTest : public ::testing::Test {
 protected:
  LanesTest() {
    for (int i = 1; i <= 5; ++i) {
      cluster_.nodes.push_back(
          std::make_unique<RecordingNode>("n" + std::to_string(i), "10.0.0." + std::to_string(i),
                                          [](const std::string&) -> Result<CommandOutput> { return CommandOutput{}; }));
    }
    for (const FaultFactory& fault : faults()) settings_.declare(fault.options);
    options_.seed = 3;
    options_.time_limit_s = 60;
  }
  Result<Lanes> lanes(const std::vector<std::string>& names) {
    std::vector<const FaultFactory*> chosen;
    for (const auto& name : names) chosen.push_back(*find_fault(name));
    return make_lanes(options_, {cluster_, target_, settings_}, chosen, missing_needs(cluster_));
  }
  std::string problem(const std::vector<std::string>& names) {
    const auto made = lanes(names);
    EXPECT_FALSE(made);
    if (made) return "";
    EXPECT_EQ(made.error().code, ErrorCode::usage);
    return made.error().message;
  }

  Cluster cluster_;
  LoggedTarget target_;
  Options settings_;
  DriverOptions options_;
};

TEST(Timeline, ReadsTimesTriggersAndTheFaultsOwnOptions) {
  const auto timeline = parse_timeline(R"([
      {"at": 5, "fault": "partition", "duration": "1500ms", "shape": "halves", "partition.direction": "both"},
      {"when": "leader-change", "after": 0.5, "fault": "kill", "kill": {"nodes": "primaries"}, "times": 3},
      {"fault": "pause", "every": "10s"}, {"fault": "kill"}])");
  ASSERT_TRUE(timeline) << timeline.error().message;
  ASSERT_THAT(*timeline, SizeIs(4));
  EXPECT_EQ((*timeline)[0].at_s, 5);
  EXPECT_EQ((*timeline)[0].duration_s, 1.5);
  EXPECT_EQ((*timeline)[0].times, 1);
  EXPECT_THAT((*timeline)[0].options,
              ElementsAre(std::pair{"partition.shape", "halves"}, std::pair{"partition.direction", "both"}));
  EXPECT_EQ((*timeline)[1].when, "leader-change");
  EXPECT_EQ((*timeline)[1].after_s, 0.5);
  EXPECT_EQ((*timeline)[1].times, 3);
  EXPECT_THAT((*timeline)[1].options, ElementsAre(std::pair{"kill.nodes", "primaries"}));
  EXPECT_EQ((*timeline)[2].times, 0) << "for as long as the run goes on";
  EXPECT_EQ((*timeline)[3].duration_s, -1);
  EXPECT_THAT(timeline_faults(*timeline), ElementsAre("partition", "kill", "pause"));
  EXPECT_THAT(*parse_timeline(""), IsEmpty());
}

TEST(Timeline, SaysWhichEntryIsWrongAndWhy) {
  const auto message = [](const char* text) {
    const auto parsed = parse_timeline(text);
    return parsed ? std::string("it was taken") : parsed.error().message;
  };
  EXPECT_THAT(message("{}"), HasSubstr("a list of entries"));
  EXPECT_THAT(message(R"([{"fault":"kill"},{"at":3}])"), HasSubstr("entry 2: it names no fault"));
  EXPECT_THAT(message(R"([{"fault":"kill","at":"soon"}])"), HasSubstr("entry 1 (kill): `at`"));
  EXPECT_THAT(message(R"([{"fault":"kill","at":-1}])"), HasSubstr("out of range"));
  EXPECT_THAT(message(R"([{"fault":"kill","times":2}])"), HasSubstr("`times` needs `every`"));
  EXPECT_THAT(message(R"([{"fault":"kill","after":2}])"), HasSubstr("`after` needs a trigger"));
  EXPECT_THAT(message(R"([{"fault":"kill","pause.nodes":"n1"}])"), HasSubstr("`pause.nodes` is no option of kill"));
  EXPECT_THAT(message(R"([{"fault":"kill","nodes":["n1"]}])"), HasSubstr("`nodes` must be a text"));
  EXPECT_THAT(message(R"([{"fault":"kill","kill":{"nodes":["n1"]}}])"), HasSubstr("`nodes` must be a text"));
  EXPECT_THAT(message(R"([{"fault":"kill","kill":{"pause.nodes":"n1"}}])"), HasSubstr("no option of kill"));
}

TEST(Triggers, AreReadAndRefused) {
  EXPECT_EQ(parse_trigger("leader-change")->kind, Trigger::Kind::leader_change);
  const auto log = parse_trigger("log@n2:elected (leader|follower): x=1");
  ASSERT_TRUE(log);
  EXPECT_EQ(log->kind, Trigger::Kind::log);
  EXPECT_EQ(log->node, "n2");
  EXPECT_EQ(log->what, "elected (leader|follower): x=1");
  EXPECT_EQ(parse_trigger(" operation:cas ")->what, "cas");
  EXPECT_EQ(parse_trigger("phase:final")->kind, Trigger::Kind::phase);
  EXPECT_EQ(phase_of(*parse_trigger("phase:main")), RunPhase::main);
  EXPECT_EQ(phase_of(*parse_trigger("phase:recovery")), RunPhase::recovery);
  EXPECT_EQ(phase_of(*parse_trigger("phase:final")), RunPhase::final);
  for (const char* wrong : {"", "leader", "leader-change:x", "log:", "log:(", "operation:", "phase:warmup"}) {
    const auto parsed = parse_trigger(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code, ErrorCode::usage);
    EXPECT_THAT(parsed.error().message, HasSubstr(wrong));
  }
  const auto lanes = parse_lane_triggers("kill=leader-change; pause = log:a=b ;operation:txn");
  ASSERT_TRUE(lanes) << lanes.error().message;
  ASSERT_THAT(*lanes, SizeIs(3));
  EXPECT_EQ((*lanes)[0].first, "kill");
  EXPECT_EQ((*lanes)[1].first, "pause");
  EXPECT_EQ((*lanes)[1].second.what, "a=b");
  EXPECT_EQ((*lanes)[2].first, "");
}

TEST_F(LanesTest, RandomLanesAreThoseOfTheScheduleAlone) {
  const auto made = lanes({"partition", "kill", "pause"});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->kind, "random");
  const Schedule plain(options_.seed, 3, options_.interval_s, options_.duration_s);
  for (std::size_t lane = 0; lane < 3; ++lane) {
    EXPECT_EQ(made->schedule.slot(lane, 1)->wait_s, plain.slot(lane, 1)->wait_s);
    EXPECT_EQ(made->all[lane].options.get(), &settings_);
    EXPECT_FALSE(made->all[lane].trigger);
  }
}

TEST_F(LanesTest, ATimelineHasItsOwnOptionsForEachEntry) {
  options_.timeline = R"([{"at":1,"fault":"kill","nodes":"n2"},{"at":2,"fault":"kill","every":3},
                          {"when":"phase:final","fault":"pause","duration":1}])";
  const auto made = lanes({"kill", "pause"});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->kind, "scripted");
  ASSERT_THAT(made->all, SizeIs(3));
  EXPECT_EQ(made->all[0].options->string("kill.nodes"), "n2");
  EXPECT_EQ(made->all[1].options->string("kill.nodes"), "random");
  EXPECT_EQ(settings_.string("kill.nodes"), "random");
  EXPECT_EQ(made->schedule.slot(1, 2)->at_s, 8);
  EXPECT_EQ(made->schedule.slot(0, 0)->duration_s, options_.duration_s);
  EXPECT_EQ(made->all[0].phase(), RunPhase::main);
  EXPECT_EQ(made->all[2].phase(), RunPhase::final);
}

TEST_F(LanesTest, WhatMakesNoSenseIsRefusedWithTheReason) {
  options_.schedule = "scripted";
  EXPECT_THAT(problem({"kill"}), HasSubstr("needs a timeline"));
  options_.schedule = "random";
  options_.timeline = R"([{"fault":"kill"}])";
  EXPECT_THAT(problem({"kill"}), HasSubstr("played by nemesis.schedule=scripted"));
  options_.schedule = "auto";
  options_.timeline = R"([{"fault":"kill","at":61}])";
  EXPECT_THAT(problem({"kill"}), HasSubstr("the run is over after 60 s"));
  options_.timeline = R"([{"fault":"kill","at":59.5}])";
  EXPECT_THAT(problem({"kill"}), HasSubstr("nothing is injected in the last second of 60 s"));
  options_.timeline = R"([{"fault":"kill","nodes":"n9"}])";
  EXPECT_THAT(problem({"kill"}), HasSubstr("entry 1 (kill): kill.nodes"));
  options_.timeline = R"([{"fault":"kill","noodles":"n1"}])";
  EXPECT_THAT(problem({"kill"}), HasSubstr("kill.noodles"));
  options_.timeline = R"([{"fault":"kill","when":"log@n9:x"}])";
  EXPECT_THAT(problem({"kill"}), HasSubstr("there is no node n9"));
  options_.timeline = "";
  options_.trigger = "pause=leader-change";
  EXPECT_THAT(problem({"kill"}), HasSubstr("\"pause\" is none of the faults"));
  options_.trigger = "";
  options_.quiet_s = 5;
  EXPECT_THAT(problem({"kill"}), HasSubstr("belong together"));
  options_.quiet_every_s = 6;
  EXPECT_THAT(problem({"kill"}), HasSubstr("no time for faults"));
  options_.quiet_s = options_.quiet_every_s = 0;
  options_.quiet_end_s = 60;
  EXPECT_THAT(problem({"kill"}), HasSubstr("nemesis.quiet-end"));
}

TEST_F(LanesTest, WhatDoesNotApplyIsRefusedOrSkippedByName) {
  EXPECT_THAT(problem({"kill", "membership"}),
              HasSubstr("fault membership: target logged cannot change the membership"));
  options_.skip_inapplicable = true;
  const auto made = lanes({"kill", "membership", "rolling-upgrade"});
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_THAT(made->all, SizeIs(1));
  EXPECT_EQ(made->all[0].fault->name, "kill");
  const std::string said = made->describe().to_json();
  EXPECT_THAT(said, HasSubstr(R"("inapplicable":{"membership":"target logged cannot change)"));
  EXPECT_THAT(said, HasSubstr(R"("rolling-upgrade":"target logged has no second version")"));
  EXPECT_THAT(problem({"membership"}), HasSubstr("fault membership")) << "nothing is left";
}

TEST_F(LanesTest, ASwarmPlaysItsSubsetAndSaysWhatItLeftOut) {
  options_.swarm = true;
  std::set<std::size_t> sizes;
  for (options_.seed = 0; options_.seed < 40; ++options_.seed) {
    const auto made = lanes({"partition", "kill", "pause", "restart"});
    ASSERT_TRUE(made);
    EXPECT_EQ(made->all.size() + made->left_out.size(), 4U);
    EXPECT_EQ(made->intensities.size(), made->all.size());
    sizes.insert(made->all.size());
    const auto again = lanes({"partition", "kill", "pause", "restart"});
    EXPECT_EQ(made->describe(), again->describe());
    // The factor shows in the lane's times.
    const Schedule plain(options_.seed, made->all.size(), options_.interval_s, options_.duration_s);
    EXPECT_DOUBLE_EQ(made->schedule.slot(0, 1)->wait_s, plain.slot(0, 1)->wait_s * made->intensities[0].interval);
    EXPECT_DOUBLE_EQ(made->schedule.slot(0, 1)->duration_s,
                     plain.slot(0, 1)->duration_s * made->intensities[0].duration);
  }
  EXPECT_GE(sizes.size(), 3U);
}

}  // namespace
}  // namespace ordeal
