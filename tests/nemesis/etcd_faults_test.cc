// The faults that need a real system: membership, rolling restart and upgrade, and triggers, on five local nodes that
// run etcd.
#include <gmock/gmock.h>
#include <unistd.h>

#include <thread>

#include "nemesis/engine/lanes.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "targets/etcd/etcd_target.h"
#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using testing_support::Events;
using Member = Target::Membership::Member;

class EtcdFaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/bin/etcd", X_OK) != 0) GTEST_SKIP() << "there is no /usr/bin/etcd (package etcd-server)";
    if (auto possible = nodes::check_local_nodes(); !possible) GTEST_SKIP() << possible.error().message;
    auto opened = nodes::open_nodes("local:5");
    ASSERT_TRUE(opened) << opened.error().message;
    set_ = *std::move(opened);
    options_.declare(etcd_target().options);
    for (const FaultFactory& fault : faults()) options_.declare(fault.options);
    set("etcd.upgrade-flags", "--heartbeat-interval=57 --max-txn-ops=99");
    auto made = etcd_target().make(cluster(), options_);
    ASSERT_TRUE(made) << made.error().message;
    target_ = *std::move(made);
    for (const auto& node : cluster().nodes) {
      const auto up = target_->installation()->install(*node).and_then([&] { return target_->start(*node); });
      ASSERT_TRUE(up) << up.error().message;
    }
    const auto ready = target_->await_ready(Deadline::after_s(30));
    ASSERT_TRUE(ready) << ready.error().message;
  }

  void set(const std::string& key, const std::string& value) {
    const auto done = options_.set(key, value, "test");
    ASSERT_TRUE(done) << done.error().message;
  }
  Cluster& cluster() { return set_.cluster; }
  FaultContext context() { return {cluster(), *target_, options_, "test-1"}; }
  std::unique_ptr<Injection> prepared(const std::string& fault, std::uint64_t seed = 1) {
    std::mt19937_64 random(seed);
    const FaultFactory* factory = *find_fault(fault);
    EXPECT_EQ(factory->inapplicable(context()), "");
    auto planned = factory->plan(context(), random);
    EXPECT_TRUE(planned) << planned.error().message;
    const auto done = (*planned)->prepare(Deadline::after_s(60));
    EXPECT_TRUE(done) << done.error().message;
    return *std::move(planned);
  }
  static void expect(const Result<Observation>& seen, bool confirmed, const std::string& evidence) {
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(seen->confirmed, confirmed) << seen->evidence;
    EXPECT_THAT(seen->evidence, HasSubstr(evidence));
  }
  static void ok(const Result<void>& done) { ASSERT_TRUE(done) << done.error().message; }
  std::vector<Member> members(std::size_t asked) {
    auto list = target_->membership()->members(cluster().at(asked), Deadline::after_s(30));
    EXPECT_TRUE(list) << list.error().message;
    return list.value_or(std::vector<Member>());
  }
  // The id of a node as n5 lists it; empty: it is no member.
  std::string id_of(const std::string& node) {
    for (const Member& one : members(4)) {
      if (one.node == node) return one.id;
    }
    return "";
  }
  int pid(std::size_t node) {
    const auto pids = target_->processes()->pids(cluster().at(node));
    EXPECT_TRUE(pids);
    return pids && pids->size() == 1 ? pids->front() : 0;
  }
  Completion run(std::size_t node, const char* f, Value value = {}) {
    auto client = target_->client(node);
    return (*client)->invoke({f, Value("k"), std::move(value)}, Deadline::after_s(30));
  }

  nodes::NodeSet set_;
  Options options_;
  std::unique_ptr<Target> target_;
};

TEST_F(EtcdFaultTest, AMemberLeavesAndComesBackAsANewOne) {
  set("membership.mode", "shrink");
  set("membership.nodes", "n2");
  ASSERT_EQ(run(1, "write", 7).type, EventType::ok);
  const std::string before = id_of("n2");
  const auto shrink = prepared("membership");
  EXPECT_THAT(shrink->impairment().down, ElementsAre(1));
  expect(testing_support::shortly(0.5, [&](Deadline limit) { return shrink->confirm(limit); }), false,
         "lists n2 as the member " + before);
  ok(shrink->inject(Deadline::after_s(30)));
  expect(shrink->confirm(Deadline::after_s(60)), true,
         "4 of 4 nodes, n1, n3, n4 and n5: n2 no longer among the members");
  EXPECT_EQ(id_of("n2"), "");
  EXPECT_EQ(pid(1), 0);
  const auto start = target_->start(cluster().at(1));
  ASSERT_FALSE(start) << "who is no member is not started by another fault's healing";
  EXPECT_THAT(start.error().message, HasSubstr("not a member"));
  expect(testing_support::shortly(0.5, [&](Deadline limit) { return shrink->confirm_healed(limit); }), false,
         "lists 4 members instead of 5");
  EXPECT_EQ(run(0, "read").value, Value(7));
  ok(shrink->heal(Deadline::after_s(30)));
  ok(shrink->heal(Deadline::after_s(30)));  // changes nothing
  expect(shrink->confirm_healed(Deadline::after_s(20)), true,
         "all 5 nodes are members that have joined, n2 with another id");
  EXPECT_NE(id_of("n2"), before);
  EXPECT_NE(pid(1), 0);
  ok(target_->await_node(cluster().at(1), Deadline::after_s(20)));
  EXPECT_EQ(run(1, "read").value, Value(7)) << "what it lost it has from the others";
  // A restart finds the data of the new member.
  ok(target_->processes()->kill(cluster().at(1)));
  ok(target_->start(cluster().at(1)));
  ok(target_->await_node(cluster().at(1), Deadline::after_s(20)));
}

TEST_F(EtcdFaultTest, ReplaceAndGrowLeaveTheirMarkInTheListsOfTheOthers) {
  set("membership.mode", "replace");
  set("membership.nodes", "n1");
  const std::string first = id_of("n1");
  const auto replace = prepared("membership");
  ok(replace->inject(Deadline::after_s(30)));
  expect(replace->confirm(Deadline::after_s(20)), true, "n1 in the cluster as new, with another id");
  const std::string second = id_of("n1");
  EXPECT_NE(second, first);
  ok(replace->heal(Deadline::after_s(30)));
  expect(replace->confirm_healed(Deadline::after_s(20)), true, "all 5 nodes are members");

  set("membership.mode", "grow");
  set("membership.nodes", "n3");
  const auto grow = prepared("membership");
  ok(grow->inject(Deadline::after_s(30)));
  expect(grow->confirm(Deadline::after_s(60)), true, "n3 announced as new, and not there");
  EXPECT_EQ(pid(2), 0);
  EXPECT_EQ(run(4, "write", 1).type, EventType::ok) << "four of five are a majority";
  ok(grow->heal(Deadline::after_s(30)));
  expect(grow->confirm_healed(Deadline::after_s(20)), true, "all 5 nodes are members");
  EXPECT_EQ(id_of("n1"), second);
}

TEST_F(EtcdFaultTest, MembershipNeverTakesTheQuorumByItself) {
  const FaultFactory* factory = *find_fault("membership");
  for (const char* nodes : {"all", "majority", "followers", "n1,n2,n3"}) {
    set("membership.nodes", nodes);
    EXPECT_THAT(factory->inapplicable(context()), HasSubstr("would take the quorum")) << nodes;
  }
  set("membership.nodes", "subset");
  std::set<std::string> modes;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    std::mt19937_64 random(seed);
    const auto planned = factory->plan(context(), random);
    ASSERT_TRUE(planned);
    EXPECT_LE((*planned)->nodes().size(), 2U);
    modes.insert((*planned)->describe().find("mode")->string());
  }
  EXPECT_EQ(modes, (std::set<std::string>{"grow", "replace", "shrink"}));
}

TEST_F(EtcdFaultTest, ARollingRestartPassesEveryNodeAndNeverHasTwoDown) {
  set("rolling-restart.order", "leaders-last");
  set("rolling-restart.how", "stop");
  const auto leader = target_->roles()->primaries(Deadline::after_s(30));
  ASSERT_TRUE(leader && leader->size() == 1);
  std::vector<int> before;
  for (std::size_t i = 0; i < 5; ++i) before.push_back(pid(i));
  const auto roll = prepared("rolling-restart");
  EXPECT_EQ(roll->describe().find("order")->items().back(), Value(cluster().at(leader->front()).name()));
  EXPECT_THAT(roll->impairment().rolling, SizeIs(5));
  EXPECT_THAT(roll->impairment().down, IsEmpty());
  expect(testing_support::shortly(5, [&](Deadline limit) { return roll->confirm(limit); }), false,
         "0 of 5 nodes passed");
  // With one node down at a time, a majority answers throughout.
  std::atomic<bool> over = false;
  int most_down = 0;
  std::jthread watch([&] {
    while (!over) {
      int down = 0;
      for (std::size_t i = 0; i < 5; ++i) down += pid(i) == 0 ? 1 : 0;
      most_down = std::max(most_down, down);
    }
  });
  ok(roll->inject(Deadline::after_s(100)));
  over = true;
  watch.join();
  EXPECT_LE(most_down, 1);
  const auto seen = roll->confirm(Deadline::after_s(30));
  expect(seen, true, "5 of 5 nodes passed one by one");
  EXPECT_THAT(seen->evidence, Not(HasSubstr("not in time")));
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NE(pid(i), before[i]);
  ok(roll->heal(Deadline::after_s(60)));
  expect(roll->confirm_healed(Deadline::after_s(20)), true, ", and serves");
}

// What a node does by itself when the controller has died: its undo script, as the dead-man's switch runs it.
TEST_F(EtcdFaultTest, AMemberThatWasRemovedComesBackByItself) {
  const auto undo = [&](const Injection& injection) {
    const auto scripts = injection.undo();
    EXPECT_THAT(scripts, SizeIs(1));
    const auto index = node_index(cluster(), scripts.front().node);
    const auto done =
        run_ok(cluster().at(*index), root_script("(\n" + scripts.front().script + "\n)", Deadline::after_s(40)));
    EXPECT_TRUE(done) << done.error().message;
  };
  ASSERT_EQ(run(1, "write", 7).type, EventType::ok);
  for (const char* mode : {"shrink", "grow"}) {
    SCOPED_TRACE(mode);
    set("membership.mode", mode);
    set("membership.nodes", "n2");
    const std::string before = id_of("n2");
    const auto change = prepared("membership");
    undo(*change);
    EXPECT_EQ(id_of("n2"), before) << "one that is a member is left alone";
    ok(change->inject(Deadline::after_s(30)));
    EXPECT_EQ(pid(1), 0);
    undo(*change);
    expect(change->confirm_healed(Deadline::after_s(20)), true,
           "all 5 nodes are members that have joined, n2 with another id");
    const int process = pid(1);
    undo(*change);
    EXPECT_EQ(pid(1), process) << "nothing is done twice";
    ok(change->heal(Deadline::after_s(30)));  // somebody was before it
    EXPECT_EQ(pid(1), process);
    ok(target_->await_node(cluster().at(1), Deadline::after_s(20)));
    EXPECT_EQ(run(1, "read").value, Value(7));
  }
}

TEST_F(EtcdFaultTest, ANodeInTheMiddleOfARollStartsByItself) {
  const auto undo = [&](const Injection& injection, std::size_t node) {
    for (const Undo& one : injection.undo()) {
      if (one.node != cluster().at(node).name()) continue;
      const auto done = run_ok(cluster().at(node), root_script("(\n" + one.script + "\n)", Deadline::after_s(20)));
      EXPECT_TRUE(done) << done.error().message;
    }
  };
  const auto restart = prepared("rolling-restart");
  EXPECT_THAT(restart->undo(), SizeIs(5));
  const int before = pid(3);
  undo(*restart, 3);
  EXPECT_EQ(pid(3), before);
  ok(target_->processes()->kill(cluster().at(3)));
  undo(*restart, 3);
  EXPECT_NE(pid(3), 0);

  // In the version that it was about to get.
  using Version = Target::Versions::Version;
  const auto version = [&](std::size_t node) {
    return target_->versions()->running(cluster().at(node), Deadline::after_s(30))->version;
  };
  set("rolling-upgrade.nodes", "n1,n2");
  const auto upgrade = prepared("rolling-upgrade");
  ok(target_->processes()->kill(cluster().at(0)));
  undo(*upgrade, 0);
  EXPECT_EQ(version(0), Version::first);
  for (const std::size_t node : {0U, 1U})
    ASSERT_TRUE(run_ok(cluster().at(node), root_script("mkdir -p " + fault_folder("test-1"), Deadline::after_s(30))));
  ok(upgrade->inject(Deadline::after_s(100)));
  ok(target_->processes()->kill(cluster().at(0)));
  undo(*upgrade, 0);
  EXPECT_EQ(version(0), Version::second);
  EXPECT_TRUE(upgrade->heals_step_by_step());
  // What was ended in the roll is gone, and what runs now stays; but one that was told to end and has not yet is not
  // waited for.
  const int running = pid(1);
  undo(*upgrade, 1);
  EXPECT_EQ(pid(1), running);
  ASSERT_TRUE(run_ok(cluster().at(1), root_script("echo 'kill -KILL " + std::to_string(running) + "; exit 0' >" +
                                                      fault_folder("test-1") + "/ending.sh",
                                                  Deadline::after_s(30))));
  undo(*upgrade, 1);
  EXPECT_NE(pid(1), running);
  EXPECT_EQ(version(1), Version::second);
  ok(upgrade->heal(Deadline::after_s(100)));
  ok(target_->processes()->kill(cluster().at(0)));
  undo(*upgrade, 0);
  EXPECT_EQ(version(0), Version::first);
}

TEST_F(EtcdFaultTest, ARollEndsWithTheRun) {
  set("rolling-restart.pause", "60s");
  std::stop_source stop;
  FaultContext with_stop = context();
  with_stop.stop = stop.get_token();
  std::mt19937_64 random(1);
  auto roll = (*find_fault("rolling-restart"))->plan(with_stop, random);
  ASSERT_TRUE(roll);
  ok((*roll)->prepare(Deadline::after_s(60)));
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    stop.request_stop();
  });
  const auto began = std::chrono::steady_clock::now();
  ok((*roll)->inject(Deadline::after_s(600)));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
  expect((*roll)->confirm(Deadline::after_s(30)), true, "1 of 5 nodes passed");
}

TEST_F(EtcdFaultTest, ARollingUpgradeIsProvenByTheCommandLinesAndGoesBack) {
  set("rolling-upgrade.nodes", "n1,n2");
  const auto upgrade = prepared("rolling-upgrade");
  EXPECT_THAT(upgrade->describe().to_json(), HasSubstr(R"("back":true)"));
  ok(upgrade->inject(Deadline::after_s(100)));
  expect(upgrade->confirm(Deadline::after_s(30)), true,
         "runs the second version: /usr/bin/etcd with --heartbeat-interval=57 --max-txn-ops=99");
  using Version = Target::Versions::Version;
  EXPECT_EQ(target_->versions()->running(cluster().at(1), Deadline::after_s(30))->version, Version::second);
  EXPECT_EQ(target_->versions()->running(cluster().at(2), Deadline::after_s(30))->version, Version::first);
  // It stays at its version when something else restarts it.
  ok(target_->processes()->kill(cluster().at(0)));
  ok(target_->start(cluster().at(0)));
  EXPECT_EQ(target_->versions()->running(cluster().at(0), Deadline::after_s(30))->version, Version::second);
  // Its version is asked of a server that serves again, which takes a busy machine seconds.
  ok(target_->await_ready(Deadline::after_s(100)));
  expect(testing_support::shortly(1, [&](Deadline limit) { return upgrade->confirm_healed(limit); }), false,
         "runs the second version");
  ok(upgrade->heal(Deadline::after_s(100)));
  expect(upgrade->confirm_healed(Deadline::after_s(20)), true,
         "runs the first version: /usr/bin/etcd without --heartbeat-interval=57");
}

TEST_F(EtcdFaultTest, AnUpgradeNeedsASecondVersion) {
  const FaultFactory* factory = *find_fault("rolling-upgrade");
  set("etcd.upgrade-flags", "");
  EXPECT_THAT(factory->inapplicable(context()), HasSubstr("etcd.upgrade-binary"));
  set("etcd.upgrade-flags", "--snapshot-count=100");
  EXPECT_THAT(factory->inapplicable(context()), HasSubstr("the first version has these flags"));
}

TEST_F(EtcdFaultTest, TriggersFireWhenWhatTheyWaitForHappensAndNotBefore) {
  Events events;
  std::stop_source stop;
  const auto await = [&](const char* text, double seconds) {
    return await_trigger(*parse_trigger(text), context(), events, Deadline::after_s(seconds), stop.get_token());
  };
  const auto quiet_leader = await("leader-change", 2);
  ASSERT_TRUE(quiet_leader);
  EXPECT_FALSE(*quiet_leader) << **quiet_leader;
  // The line is in the logs already: only what comes later counts.
  const auto quiet_log = await("log:became leader at term", 2);
  ASSERT_TRUE(quiet_log) << quiet_log.error().message;
  EXPECT_FALSE(*quiet_log) << **quiet_log;

  const auto leader = target_->roles()->primaries(Deadline::after_s(30));
  ASSERT_TRUE(leader && leader->size() == 1);
  const std::string name = cluster().at(leader->front()).name();
  std::jthread killer([&] {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    (void)target_->processes()->kill(cluster().at(leader->front()));
  });
  Result<std::optional<std::string>> line;
  std::jthread other([&] { line = await("log:became leader at term", 40); });
  const auto changed = await("leader-change", 40);
  other.join();
  ASSERT_TRUE(changed && *changed);
  EXPECT_THAT(**changed, AllOf(HasSubstr(name + " led, now "), Not(HasSubstr("now " + name))));
  ASSERT_TRUE(line && *line);
  EXPECT_THAT(**line, HasSubstr("became leader at term"));
}

TEST_F(EtcdFaultTest, AWaitingTriggerEndsWithTheRun) {
  Events events;
  for (const char* text : {"leader-change", "log:no such line", "operation:read"}) {
    std::stop_source stop;
    std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      stop.request_stop();
    });
    const auto began = std::chrono::steady_clock::now();
    const auto seen = await_trigger(*parse_trigger(text), context(), events, Deadline::after_s(600), stop.get_token());
    ASSERT_TRUE(seen) << text;
    EXPECT_FALSE(*seen) << text;
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5)) << text;
  }
}

}  // namespace
}  // namespace ordeal
