// What is read from the output of tools, and what may go into scripts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nemesis/catalogue.h"
#include "nemesis/network/links.h"
#include "nemesis/network/netem.h"
#include "nemesis/network/packet_filter.h"
#include "nemesis/network/ports.h"
#include "nemesis/node/cgroup.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/process_state.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Addresses, AreReadFromTheKernelsTables) {
  const auto found = parse_addresses(
      "controller 10.9.0.1\n"
      "missing ip6tables ip6tables-restore\n"
      "fib\nMain:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 10.9.0.0/24 2 0 2\n"
      "        |-- 10.9.0.0\n           /24 link UNICAST\n        |-- 10.9.0.11\n           /32 host LOCAL\n"
      "        |-- 10.9.0.255\n           /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n"
      "Local:\n        |-- 10.9.0.11\n           /32 host LOCAL\n"
      "inet6\n"
      "00000000000000000000000000000001 01 80 10 80       lo\n"
      "fe800000000000000042acfffe110002 02 40 20 80     eth0\n"
      "fd000000000000000000000000000011 02 40 00 80     eth0\n");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->v4, ElementsAre("10.9.0.11"));
  EXPECT_THAT(found->v6, ElementsAre("fd00::11"));
  EXPECT_THAT(found->v6_link, ElementsAre("fe80::42:acff:fe11:2"));
  EXPECT_EQ(found->controller, "10.9.0.1");
  EXPECT_EQ(found->missing, "ip6tables ip6tables-restore");
}

TEST(Addresses, ANodeWithoutAnyIsAnError) { EXPECT_FALSE(parse_addresses("controller \nmissing \nfib\ninet6\n")); }

TEST(PacketFilter, CountersAreSummedBySource) {
  const auto counters = parse_counters(
      "-N ORDEAL-ab-1 \n-A ORDEAL-ab-1 -s 10.0.0.2/32 -c 3 180 -j DROP\n-A ORDEAL-ab-1 -s 10.0.0.3/32 -c 4 240\n"
      "-N ORDEAL-ab-1 \n-A ORDEAL-ab-1 -s fd00::2/128 -c 2 144 -j DROP\n");
  EXPECT_EQ(counters.at("10.0.0.2"), 3U);
  EXPECT_EQ(counters.at("10.0.0.3"), 4U);
  EXPECT_EQ(counters.at("fd00::2"), 2U);
}

const FilterChain kDrop = {"filter", "INPUT", {{"10.0.0.2", "", "-j DROP"}, {"fd00::2", "", "-j DROP"}}};

TEST(PacketFilter, NeverFlushesOrDeletesWhatIsNotItsOwn) {
  const std::string scripts = filter_install_script("ab-1", {kDrop}) + filter_remove_script("ab-1", {kDrop});
  EXPECT_THAT(scripts, HasSubstr("-restore -w 5 -n"));
  for (const char* flush : {"-F\n", "-F INPUT", "-X\n", "-X INPUT", "-F ;", "-P "}) {
    EXPECT_THAT(scripts, Not(HasSubstr(flush)));
  }
}

TEST(PacketFilter, TouchesIPv6OnlyWhereThereIsSome) {
  EXPECT_THAT(filter_install_script("ab-1", {{"filter", "INPUT", {{"10.0.0.2", "", "-j DROP"}}}}),
              Not(HasSubstr("ip6tables")));
}

TEST(PacketFilter, RulesWithoutAnAddressAreForBothFamiliesWhenNoneHasOne) {
  const std::string script =
      filter_install_script("ab-1", {{"filter", "OUTPUT", {{"", "-p udp --dport 53", "-j DROP"}}}});
  EXPECT_THAT(script, HasSubstr("| iptables-restore"));
  EXPECT_THAT(script, HasSubstr("| ip6tables-restore"));
  EXPECT_THAT(script, HasSubstr("-I OUTPUT 1 -j ORDEAL-ab-1"));
}

TEST(PacketFilter, PortsAreThoseOfEitherEnd) {
  EXPECT_THAT(port_matches({}), ElementsAre(""));
  EXPECT_THAT(port_matches({2380, 2379}),
              ElementsAre("-p tcp -m multiport --ports 2380,2379", "-p udp -m multiport --ports 2380,2379"));
}

TEST(NodeState, TheUndoScriptIsOnDiskBeforeItHasItsName) {
  const std::string script = arm_script("ab-1", "echo undo", 3);
  const auto synced = script.find("sync \"$state/undo.tmp\"");
  const auto named = script.find("mv \"$state/undo.tmp\"");
  ASSERT_NE(synced, std::string::npos);
  EXPECT_LT(synced, named);
  EXPECT_LT(named, script.find("sync \"$state\" "));
}

TEST(NodeState, AnUndoScriptThatIsEmptyUndoesNothing) {
  EXPECT_THAT(undo_everything_script(), HasSubstr("if [ -s \"$undo\" ] && sh \"$undo\" >/dev/null; then\n"));
}

TEST(Netem, ActsOnSomeAddressesOnlyEachNodeByItself) {
  const std::string script = netem_install_script("ab-1", {{"10.0.0.2", "fd00::2"}, {"10.0.0.3"}},
                                                  "netem limit 32768 delay 100000us 10000us 0%");
  for (const char* line : {
           "tc qdisc add dev \"$1\" root handle c580: prio bands 5 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1 ||",
           "tc qdisc add dev \"$1\" parent c580:$2 netem limit 32768 delay 100000us 10000us 0%\n",
           "tc filter add dev \"$on\" parent c580: protocol $2 prio $3 u32 match $4 dst \"$1\" flowid c580:$5\n",
           "\nto '10.0.0.2' ip 1 ip 4 || exit 1\n",
           "\nto 'fd00::2' ipv6 2 ip6 4 || exit 1\n",
           "\nto '10.0.0.3' ip 1 ip 5 || exit 1\n",
       }) {
    EXPECT_THAT(script, HasSubstr(line));
  }
}

TEST(Netem, TheLastBandIsTheSixteenth) {
  const NetemBands bands(kMaxNetemBands, {"10.0.0.2"});
  EXPECT_THAT(netem_install_script("ab-1", bands, "netem"), HasSubstr("prio bands 16 "));
  EXPECT_THAT(netem_install_script("ab-1", bands, "netem"), HasSubstr("\nto '10.0.0.2' ip 1 ip 10 || exit 1\n"));
  EXPECT_THAT(netem_probe_script(NetemBands(kMaxNetemBands + 1, {"10.0.0.2"}), "netem"),
              HasSubstr("it sends to 14 nodes"));
}

TEST(Netem, TheProbeTriesTheSameInANamespaceOfItsOwn) {
  const std::string script = netem_probe_script({{"10.0.0.2"}}, "netem delay 1ms");
  EXPECT_THAT(script, HasSubstr("unshare -n sh -c '\ntc qdisc add dev lo root handle 1: prio bands 4 && "
                                "tc qdisc add dev lo parent 1:4 netem delay 1ms &&"));
  EXPECT_THAT(script, Not(HasSubstr("add dev \"")));
}

TEST(Netem, OneFaultAtATimeHasTheQueuesOfANode) {
  const Cluster cluster;
  const Cluster other;
  auto first = NetemClaim::take(cluster, {0, 1});
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(NetemClaim::take(cluster, {1, 2}), nullptr);
  EXPECT_NE(NetemClaim::take(cluster, {2}), nullptr);
  EXPECT_NE(NetemClaim::take(other, {0}), nullptr);
  first.reset();
  EXPECT_NE(NetemClaim::take(cluster, {0, 1}), nullptr);
}

TEST(Netem, RemovesNoQueueButItsOwn) {
  EXPECT_EQ(netem_remove_script("ab-1"),
            "command -v tc >/dev/null || exit 0\n"
            "tc qdisc show | while read -r word kind handle word device rest; do\n"
            "  [ \"$kind $handle\" = 'prio c580:' ] && tc qdisc del dev \"$device\" root\n"
            "done\n"
            "tc qdisc show | grep -q 'qdisc prio c580:' && exit 1\n"
            ":");
  EXPECT_THAT(netem_remove_script("ab-2"), Not(HasSubstr("c580")));
}

TEST(Ports, AreReadFromAList) {
  EXPECT_EQ(parse_ports("2380,22").value(), (std::vector<int>{2380, 22}));
  EXPECT_TRUE(parse_ports("").value().empty());
  for (const char* bad : {"0", "65536", "a", "22,,23", "22 ", "-1", "1,2,3,4,5,6,7,8,9,10,11,12,13,14"}) {
    EXPECT_FALSE(parse_ports(bad)) << bad;
  }
}

TEST(ProcessStates, ANameMayHoldAnything) {
  const auto states = parse_states(
      "17 (etcd) S 1 17 17 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 9 0 4711 12 3\n"
      "cat: /proc/5/stat: No such file\n"
      "18 (a) b (c) T 1 17 17 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 9 0 4712 12 3\n");
  ASSERT_EQ(states.size(), 2U);
  EXPECT_EQ(states[0].id, (OsProcess{17, 4711}));
  EXPECT_FALSE(states[0].stopped());
  EXPECT_EQ(states[1].id, (OsProcess{18, 4712}));
  EXPECT_TRUE(states[1].stopped());
}

TEST(Cgroups, ProcessesOfOneGroupMoveTogetherAndAReasonIsKept) {
  const CgroupPlan plan =
      parse_cgroups("12 2 /g/a /g/a/ordeal-x-1\n13 2 /g/b /g/b/ordeal-x-1\n14 2 /g/a /g/a/ordeal-x-1\n");
  ASSERT_TRUE(plan.possible());
  ASSERT_EQ(plan.moves.size(), 2U);
  EXPECT_EQ(plan.moves[0].own, "/g/a");
  EXPECT_EQ(plan.moves[0].ours, "/g/a/ordeal-x-1");
  EXPECT_THAT(plan.moves[0].pids, ElementsAre(12, 14));
  EXPECT_THAT(plan.moves[1].pids, ElementsAre(13));
  const CgroupPlan impossible = parse_cgroups("12 2 /g/a /g/a/ordeal-x-1\n! the folder /g/b is not writable\n");
  EXPECT_FALSE(impossible.possible());
  EXPECT_EQ(impossible.problem, "the folder /g/b is not writable");
  EXPECT_FALSE(parse_cgroups("12 2 /g/a b /g/a b/ordeal-x-1\n").possible()) << "a name with blanks";
  EXPECT_FALSE(parse_cgroups("").possible()) << "no process is there any more";
}

TEST(Cgroups, OnlyOurOwnGroupIsRemoved) {
  const std::string leave = cgroup_leave_script(parse_cgroups("12 2 /g/a /g/a/ordeal-x-1\n"));
  EXPECT_THAT(leave, HasSubstr("leave '/g/a' '/g/a/ordeal-x-1'"));
  EXPECT_THAT(leave, Not(HasSubstr("rm -")));
}

TEST(FaultIds, AreSafeInFileAndChainNames) {
  EXPECT_TRUE(is_fault_id("3f2a91bc-12"));
  for (const char* bad : {"", "a b", "../x", "a;b", "123456789012345678901", "$x"})
    EXPECT_FALSE(is_fault_id(bad)) << bad;
}

TEST(Catalogue, EveryFaultIsDocumentedAndItsOptionsAreItsOwn) {
  for (const FaultFactory& fault : faults()) {
    for (const char* part : {"Mechanism", "Proof:", "Needs on the nodes:"})
      EXPECT_THAT(fault.help, HasSubstr(part)) << fault.name;
    EXPECT_NE(fault.plan, nullptr);
    EXPECT_NE(fault.inapplicable, nullptr);
    EXPECT_THAT(fault.options, Not(IsEmpty()));
    for (const OptionSpec& option : fault.options) EXPECT_EQ(option.key.rfind(fault.name + ".", 0), 0U) << option.key;
  }
  EXPECT_EQ(find_fault("partitoin").error().code, ErrorCode::usage);
  EXPECT_THAT(find_fault("partitoin").error().message, HasSubstr("did you mean \"partition\""));
}

}  // namespace
}  // namespace ordeal
