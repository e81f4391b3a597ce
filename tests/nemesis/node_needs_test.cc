// What faults need on nodes: local ones from which it is taken away, and the same script run with fewer capabilities.
#include "nemesis/node_needs.h"

#include <gmock/gmock.h>

#include "tests/nemesis/fault_fixture.h"
#include "tests/nemesis/recording_node.h"
#include "tests/support/program.h"

namespace ordeal {
namespace {

using ordeal::testing::run_program;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing_support::RecordingNode;

const std::vector<NodeNeed> kAll = {NodeNeed::agent,   NodeNeed::packet_filter, NodeNeed::packet_queue,
                                    NodeNeed::connect, NodeNeed::trace,         NodeNeed::fuse};

class NodeNeedsTest : public testing_support::FaultTest {
 protected:
  std::string missing(const std::vector<NodeNeed>& needs) {
    auto found = missing_needs(cluster())(needs, Deadline::after_s(20));
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : "";
  }
};

TEST_F(NodeNeedsTest, LocalNodesHaveAllButAClockOfTheirOwn) {
  EXPECT_EQ(missing(kAll), "");
  EXPECT_THAT(missing({NodeNeed::own_clock}), HasSubstr("n1, n2, n3, n4, n5: it shares its kernel and clock"));
}

TEST_F(NodeNeedsTest, WhatIsNotThereIsNamedWithItsNode) {
  on(1, "rm /usr/sbin/iptables");
  EXPECT_EQ(missing({NodeNeed::packet_filter}), "n2: iptables is not installed (package iptables)");
  on(2, "rm /dev/fuse");
  EXPECT_THAT(missing({NodeNeed::fuse}), AllOf(HasSubstr("n3: there is no /dev/fuse"), Not(HasSubstr("n2"))));
  on(3, "mount -t tmpfs -o noexec tmpfs /var/lib");
  EXPECT_THAT(missing({NodeNeed::agent}),
              AllOf(HasSubstr("n4: no program may be run below /var/lib"), Not(HasSubstr("; "))));
}

TEST_F(NodeNeedsTest, AFaultThatTheNodesCannotHaveIsRefusedOrLeftOut) {
  on(4, "rm /dev/fuse");
  target_->data = {"/var/lib/data"};
  DriverOptions options;
  options.ledger_path = ledger_path();
  const auto refused = make_driver(options, context(), faults_named({"kill", "power-loss"}), missing_needs(cluster()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("fault power-loss: n5: there is no /dev/fuse"));
  options.skip_inapplicable = true;
  EXPECT_TRUE(make_driver(options, context(), faults_named({"kill", "power-loss"}), missing_needs(cluster())));
  options.skip_inapplicable = false;
  EXPECT_TRUE(make_driver(options, context(), faults_named({"kill"}), missing_needs(cluster())))
      << "needs nothing of it";
}

TEST(NodeNeeds, EachMissingCapabilityIsNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: needs root, to give up a part of it";
  const auto without = [](const std::string& capability, const std::vector<NodeNeed>& needs) {
    return run_program(
               {"/usr/bin/env", "setpriv", "--bounding-set", "-" + capability, "sh", "-c", missing_script(needs)})
        .out;
  };
  EXPECT_THAT(without("net_admin", {NodeNeed::packet_filter}), HasSubstr("the capability NET_ADMIN is missing"));
  EXPECT_THAT(without("sys_admin", {NodeNeed::fuse}), HasSubstr("the capability SYS_ADMIN is missing"));
  // It is needed only where Yama is.
  const std::string scope =
      run_program({"/usr/bin/env", "sh", "-c", "cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0"}).out;
  const std::string untraceable = without("sys_ptrace", {NodeNeed::trace});
  if (scope == "0\n") {
    EXPECT_EQ(untraceable, "");
  } else {
    EXPECT_THAT(untraceable, HasSubstr("SYS_PTRACE is missing"));
  }
  EXPECT_EQ(without("sys_time", {NodeNeed::trace, NodeNeed::agent, NodeNeed::connect}), "");
}

TEST(NodeNeeds, NodesAreAskedOnceAndTheirSilenceIsAnError) {
  Cluster cluster;
  int asked = 0;
  bool reachable = true;
  cluster.nodes.push_back(
      std::make_unique<RecordingNode>("n1", "10.0.0.1", [&](const std::string&) -> Result<CommandOutput> {
        ++asked;
        if (!reachable) return fail(ErrorCode::unreachable, "no route");
        return CommandOutput{0, "bash is not installed (package bash)\n", ""};
      }));
  const MissingNeeds missing = missing_needs(cluster);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(missing({NodeNeed::connect}, Deadline::after_s(30)).value(), "n1: bash is not installed (package bash)");
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(missing({}, Deadline::after_s(30)).value(), "");
  reachable = false;
  const auto silent = missing({NodeNeed::trace}, Deadline::after_s(5));
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, ErrorCode::unreachable);
}

}  // namespace
}  // namespace ordeal
