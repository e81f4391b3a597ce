#include <gmock/gmock.h>

#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using testing_support::FaultTest;

class PartitionTest : public FaultTest {
 protected:
  // Whether the injection says that `at` drops what `from` sends.
  bool drops(const Injection& injection, std::size_t at, std::size_t from) {
    const Value description = injection.describe();
    const Value* dropped = description.find("drops")->find(cluster().at(at).name());
    if (dropped == nullptr) return false;
    const auto& names = dropped->items();
    return std::find(names.begin(), names.end(), Value(cluster().at(from).name())) != names.end();
  }
  bool answers_in_the_end(std::size_t from, const std::string& to) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      if (answers(from, to)) return true;
    }
    return false;
  }
};

TEST_F(PartitionTest, EveryShapeIsCutAsDescribedProvenAndRemovedWithoutATrace) {
  // Rules of the user's, which must be there before, during and after.
  on(0, "iptables -N MINE && iptables -A MINE -s 203.0.113.7 -j DROP && iptables -A INPUT -j MINE");
  on(1, "ip6tables -A INPUT -s 2001:db8::7 -j DROP");
  std::vector<std::string> before;
  for (std::size_t i = 0; i < 5; ++i) before.push_back(rules(i));
  std::uint64_t seed = 1;
  for (const char* shape : {"halves", "one", "majority", "majorities-ring", "bridge", "primaries"}) {
    SCOPED_TRACE(shape);
    set("partition.shape", shape);
    const std::string id = "test-" + std::to_string(seed);
    auto planned = plan("partition", seed++, id);
    ASSERT_TRUE(planned) << planned.error().message;
    Injection& partition = **planned;
    auto done = partition.prepare(Deadline::after_s(60));
    ASSERT_TRUE(done) << done.error().message;
    done = partition.inject(Deadline::after_s(60));
    ASSERT_TRUE(done) << done.error().message;
    const auto seen = partition.confirm(Deadline::after_s(30));
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_TRUE(seen->confirmed) << seen->evidence;
    RecordProperty(shape, seen->evidence);
    EXPECT_THAT(rules(0), HasSubstr("-A MINE -s 203.0.113.7/32 -j DROP"));
    const auto open = links();
    for (std::size_t from = 0; from < 5; ++from) {
      for (std::size_t to = 0; to < 5; ++to) {
        const bool cut = drops(partition, to, from) || drops(partition, from, to);
        // A busy machine may take longer than the half second for an answer; what is cut never answers.
        EXPECT_EQ(open[from][to] || (!cut && answers_in_the_end(from, address(to))), !cut) << from << " to " << to;
      }
    }
    undo(partition, "partition", id);
    const auto healed = partition.confirm_healed(Deadline::after_s(30));
    ASSERT_TRUE(healed);
    EXPECT_TRUE(healed->confirmed) << healed->evidence;
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(rules(i), before[i]) << "node " << i;
    EXPECT_EQ(remains(), "");
  }
}

TEST_F(PartitionTest, SidesByName) {
  set("partition.groups", "n1,n2|n3");
  auto planned = plan("partition", 1, "test-groups");
  ASSERT_TRUE(planned) << planned.error().message;
  Injection& partition = **planned;
  EXPECT_EQ(partition.describe().find("groups")->to_json(), R"([["n1","n2"],["n3"]])");
  ASSERT_TRUE(partition.prepare(Deadline::after_s(60)));
  ASSERT_TRUE(partition.inject(Deadline::after_s(60)));
  const auto seen = partition.confirm(Deadline::after_s(30));
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_TRUE(seen->confirmed) << seen->evidence;
  const auto open = links();
  for (const auto& [from, to] : {std::pair{0, 2}, std::pair{1, 2}, std::pair{2, 0}}) EXPECT_FALSE(open[from][to]);
  for (const std::size_t to : {0, 1, 2, 4}) EXPECT_TRUE(open[3][to] || answers_in_the_end(3, address(to))) << to;
  EXPECT_TRUE(open[0][1] || answers_in_the_end(0, address(1)));
  undo(partition, "partition", "test-groups");
  EXPECT_EQ(remains(), "");
  set("partition.shape", "halves");
  const std::string problem = (*find_fault("partition"))->inapplicable(context());
  EXPECT_THAT(problem, HasSubstr("partition.shape=halves and partition.groups"));
}

TEST_F(PartitionTest, CutsIPv6Too) {
  const auto& nodes = set_.local->state().nodes;
  if (nodes[0].address6.empty()) GTEST_SKIP() << "this kernel has no IPv6";
  set("partition.shape", "halves");
  auto planned = plan("partition", 3, "test-v6");
  ASSERT_TRUE(planned);
  Injection& partition = **planned;
  ASSERT_TRUE(partition.prepare(Deadline::after_s(60)));
  std::size_t cut = 0;
  for (const bool injected : {false, true}) {
    for (std::size_t to = 1; to < 5; ++to) {
      const bool apart = drops(partition, to, 0);
      EXPECT_EQ(answers(0, nodes[to].address6), !(injected && apart)) << to << (injected ? " cut" : " before");
      cut += apart ? 1 : 0;
    }
    if (!injected) {
      ASSERT_TRUE(partition.inject(Deadline::after_s(60)));
    }
  }
  EXPECT_GT(cut, 0U);
  undo(partition, "partition", "test-v6");
  EXPECT_EQ(remains(), "");
}

// A counting rule of the test's own, behind Ordeal's chain, sees which datagrams got through.
TEST_F(PartitionTest, OneWayDropsOneDirectionOnly) {
  set("partition.shape", "one");
  set("partition.direction", "one-way");
  for (std::size_t i = 0; i < 5; ++i) on(i, "iptables -A INPUT -p udp --dport 9999");
  for (std::uint64_t seed : {1, 2, 3, 4}) {
    const std::string id = "one-" + std::to_string(seed);
    auto planned = plan("partition", seed, id);
    ASSERT_TRUE(planned);
    Injection& partition = **planned;
    ASSERT_TRUE(partition.prepare(Deadline::after_s(60)));
    ASSERT_TRUE(partition.inject(Deadline::after_s(60)));
    const auto seen = partition.confirm(Deadline::after_s(30));
    ASSERT_TRUE(seen);
    EXPECT_TRUE(seen->confirmed) << seen->evidence;
    EXPECT_THAT(seen->evidence, HasSubstr("heard in the other direction"));
    for (std::size_t i = 0; i < 5; ++i) on(i, "iptables -Z INPUT");
    std::vector<int> expected(5, 0);
    for (std::size_t from = 0; from < 5; ++from) {
      std::string script;
      for (std::size_t to = 0; to < 5; ++to) {
        if (from == to) continue;
        script += "bash -c 'echo x >/dev/udp/" + address(to) + "/9999'\n";
        expected[to] += drops(partition, to, from) ? 0 : 1;
      }
      on(from, script);
    }
    for (std::size_t to = 0; to < 5; ++to) {
      const std::string arrived = on(to, "iptables -nvxL INPUT | awk '/dpt:9999/ {printf \"%s\", $1}'");
      EXPECT_EQ(arrived, std::to_string(expected[to])) << "node " << to << " " << partition.describe().to_json();
    }
    undo(partition, "partition", id);
    const auto healed = partition.confirm_healed(Deadline::after_s(30));
    ASSERT_TRUE(healed);
    EXPECT_TRUE(healed->confirmed) << healed->evidence;
  }
  EXPECT_EQ(remains(), "");
}

TEST_F(PartitionTest, OnlyTheChosenPortsAreCut) {
  set("partition.shape", "halves");
  set("partition.ports", "7001,7002");
  auto planned = plan("partition", 3, "test-ports");
  ASSERT_TRUE(planned);
  Injection& partition = **planned;
  ASSERT_TRUE(partition.prepare(Deadline::after_s(60)));
  ASSERT_TRUE(partition.inject(Deadline::after_s(60)));
  const auto seen = partition.confirm(Deadline::after_s(30));
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->confirmed) << seen->evidence;
  std::size_t to = 1;
  while (to < 5 && !drops(partition, to, 0)) ++to;
  ASSERT_LT(to, 5U);
  EXPECT_TRUE(answers(0, address(to))) << "port 22 is not cut";
  for (const char* port : {"7000", "7001", "7002"}) {
    // A closed port answers, too.
    const std::string said =
        on(0, "timeout 0.5 bash -c 'exec 3<>/dev/tcp/" + address(to) + "/" + port + "' 2>/dev/null; echo $?");
    EXPECT_EQ(said, std::string(port) == "7000" ? "1\n" : "124\n") << port;
  }
  undo(partition, "partition", "test-ports");
  const auto healed = partition.confirm_healed(Deadline::after_s(30));
  ASSERT_TRUE(healed);
  EXPECT_TRUE(healed->confirmed) << healed->evidence;
  EXPECT_EQ(remains(), "");
}

TEST_F(PartitionTest, AFlappingOneIsCutAndOpenInTurn) {
  std::vector<std::string> before;
  for (std::size_t i = 0; i < 5; ++i) before.push_back(rules(i));
  set("partition.shape", "one");
  set("partition.flap", "1s");
  auto planned = plan("partition", 3, "test-flap");
  ASSERT_TRUE(planned);
  Injection& partition = **planned;
  ASSERT_TRUE(partition.prepare(Deadline::after_s(60)));
  arm(partition, "partition", "test-flap");
  const auto done = partition.inject(Deadline::after_s(60));
  ASSERT_TRUE(done) << done.error().message;
  const auto seen = partition.confirm(Deadline::after_s(30));
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->confirmed) << seen->evidence;
  EXPECT_THAT(seen->evidence, HasSubstr("answered at others"));
  std::size_t to = 1;
  while (to < 5 && !drops(partition, to, 0)) ++to;
  if (to == 5) to = 0;  // node 0 is not alone: any cut link will do
  std::size_t from = 0;
  while (from == to || !drops(partition, to, from)) from = (from + 1) % 5;
  // A look every 50 ms or more for periods enough, in phase with nothing.
  const std::string said = on(from, "for i in $(seq 40); do timeout 0.15 bash -c 'exec 3<>/dev/tcp/" + address(to) +
                                        "/22' 2>/dev/null && printf 1 || printf 0; sleep 0.05; done");
  EXPECT_GT(std::count(said.begin(), said.end(), '0'), 5) << said;
  EXPECT_GT(std::count(said.begin(), said.end(), '1'), 10) << said;
  int turns = 0;
  for (std::size_t i = 1; i < said.size(); ++i) turns += said[i] != said[i - 1] ? 1 : 0;
  EXPECT_GE(turns, 4) << said;
  undo(partition, "partition", "test-flap");
  const auto healed = partition.confirm_healed(Deadline::after_s(30));
  ASSERT_TRUE(healed);
  EXPECT_TRUE(healed->confirmed) << healed->evidence;
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(rules(i), before[i]) << "node " << i;
  EXPECT_EQ(remains(), "");
}

// What cannot be shown is not claimed: nobody answers on the probes' port when the user drops it anyway.
TEST_F(PartitionTest, WithoutALinkThatWasOpenBeforeThereIsNoProof) {
  for (std::size_t i = 0; i < 5; ++i) {
    on(i, "iptables -A INPUT -p tcp --dport 4444 -j DROP; ip6tables -A INPUT -p tcp --dport 4444 -j DROP");
  }
  set("partition.shape", "halves");
  set("partition.probe-port", "4444");
  auto planned = plan("partition", 3, "test-dark");
  ASSERT_TRUE(planned);
  ASSERT_TRUE((*planned)->prepare(Deadline::after_s(60)));
  ASSERT_TRUE((*planned)->inject(Deadline::after_s(60)));
  const auto seen = (*planned)->confirm(Deadline::after_s(30));
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->confirmed);
  EXPECT_THAT(seen->evidence, HasSubstr("no proof"));
  undo(**planned, "partition", "test-dark");
  EXPECT_EQ(remains(), "");
}

// Two injections at once: undoing one leaves the other in force.
TEST_F(PartitionTest, EachInjectionHasAChainOfItsOwn) {
  set("partition.shape", "one");
  auto first = plan("partition", 1, "test-a");
  auto second = plan("partition", 2, "test-b");
  ASSERT_TRUE(first && second);
  for (auto* one : {&*first, &*second}) ASSERT_TRUE((*one)->prepare(Deadline::after_s(60)));
  for (auto* one : {&*first, &*second}) ASSERT_TRUE((*one)->inject(Deadline::after_s(60)));
  ASSERT_TRUE((*first)->inject(Deadline::after_s(60))) << "injecting twice does it once";
  undo(**first, "partition", "test-a");
  undo(**first, "partition", "test-a");
  const auto seen = (*second)->confirm(Deadline::after_s(30));
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->confirmed) << seen->evidence;
  undo(**second, "partition", "test-b");
  EXPECT_EQ(remains(), "");
}

}  // namespace
}  // namespace ordeal
