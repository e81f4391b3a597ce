#include "session/campaign/sharing.h"

#include <gtest/gtest.h>

#include <fstream>

#include "session/resolve_plan.h"
#include "tests/support/program.h"

namespace ordeal {
namespace {

// A run as somebody asks for it: flags, and settings of target, workload and faults.
MachineNeeds needs(const std::map<std::string, std::string>& flags,
                   const std::map<std::string, std::string>& settings = {}) {
  RunRequest request;
  for (const auto& [key, text] : flags) request.flags[key] = {text, "test"};
  for (const auto& [key, text] : settings) request.settings[key] = {text, "test"};
  const auto plan = resolve(request);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? needs_of(*plan) : MachineNeeds{"no plan", {}};
}

TEST(Sharing, NodesThatAreMadeForARunAreItsOwn) {
  for (const char* nodes : {"local:3", "docker:3"}) {
    const auto one = needs({{"target", "etcd"}, {"nodes", nodes}, {"nemesis", "partition,kill,clock,power-loss"}});
    EXPECT_TRUE(may_share(one, one)) << nodes << one.alone;
  }
}

TEST(Sharing, TheMemoryTargetSharesNothing) {
  const auto memory = needs({{"target", "memory"}, {"rate", "unlimited"}});
  EXPECT_TRUE(may_share(memory, memory));
  EXPECT_TRUE(may_share(memory, needs({{"target", "etcd"}, {"nodes", "a,b"}})));
}

TEST(Sharing, WhatOthersWouldDisturbIsAlone) {
  const std::map<std::string, std::string> etcd = {{"target", "etcd"}, {"nodes", "local:3"}};
  const auto with = [&](const char* flag, const char* text) {
    auto flags = etcd;
    flags[flag] = text;
    return flags;
  };
  const auto other = needs({{"target", "memory"}});
  for (const auto& alone : {needs(with("nemesis", "kill,slow")), needs(with("rate", "unlimited")),
                            needs(with("nemesis", "disk-full"), {{"disk-full.mechanism", "balloon"}})}) {
    EXPECT_NE(alone.alone, "");
    EXPECT_FALSE(may_share(alone, other));
    EXPECT_FALSE(may_share(other, alone));
  }
  EXPECT_EQ(needs(with("nemesis", "disk-full")).alone, "") << "a quota is the node's own";
  EXPECT_EQ(needs({{"target", "etcd"}, {"nodes", "a,b"}, {"nemesis", "slow"}}).alone, "") << "not this machine";
}

TEST(Sharing, MachinesOfOnesOwnServeOneRunAtATime) {
  const auto on = [](const std::string& nodes) { return needs({{"target", "etcd"}, {"nodes", nodes}}); };
  EXPECT_FALSE(may_share(on("a,b,c"), on("c,d,e")));
  EXPECT_TRUE(may_share(on("a,b,c"), on("d,e,f")));
  EXPECT_TRUE(may_share(on("a,b,c"), on("local:3")));
  const testing::TemporaryDirectory folder;
  const std::string first = folder.path() + "/first", second = folder.path() + "/second";
  std::ofstream(first) << "n1 host=10.0.0.1\nn2 host=10.0.0.2\n";
  std::ofstream(second) << "m1 host=10.0.0.2 port=2222\nm2 host=10.0.0.3\n";
  EXPECT_FALSE(may_share(on("ssh:" + first), on("ssh:" + second))) << "one machine by two names";
  EXPECT_TRUE(may_share(on("ssh:" + first), on("10.0.0.3")));
  EXPECT_FALSE(may_share(on("ssh:" + second), on("10.0.0.3")));
  std::ofstream(second) << "network-namespace=/proc/1/ns/net\nn1 host=10.0.0.1\n";
  EXPECT_TRUE(may_share(on("ssh:" + first), on("ssh:" + second))) << "other machines of the same address";
  EXPECT_FALSE(may_share(on("ssh:/none"), on("ssh:/none"))) << "nobody knows what is in it";
}

TEST(Sharing, ASystemReachedByAddressServesOneRunAtATime) {
  const auto at = [](const char* endpoints) {
    return needs(
        {{"target", "process"}, {"workload", "register"}},
        {{"process.command", "/bin/cat"}, {"process.operations", "read,write,cas"}, {"process.endpoints", endpoints}});
  };
  EXPECT_FALSE(may_share(at("h1:80,h2:80"), at("http://h2:81/x")));
  EXPECT_TRUE(may_share(at("h1:80,[::1]:80"), at("h2:80,[::2]:80")));
  EXPECT_FALSE(may_share(at(""), at(""))) << "nobody knows where its clients go";
  EXPECT_FALSE(may_share(at("h1:80"), needs({{"target", "etcd"}, {"nodes", "h1,h2"}})));
  EXPECT_TRUE(may_share(at(""), needs({{"target", "memory"}})));
}

TEST(Sharing, WhoWaitsForWhomIsToldWithTheReason) {
  const auto on = [](const char* nodes, const char* nemesis = "") {
    return needs({{"target", "etcd"}, {"nodes", nodes}, {"nemesis", nemesis}});
  };
  EXPECT_EQ(
      told_turns({on("a,b"), on("local:3"), on("b,a"), on("b,c"), on("local:3", "slow")}),
      (std::vector<std::string>{"alone: run 5 (slow is confirmed by the processor time that the target gets)",
                                "one at a time: runs 1 and 3 (host a)", "one at a time: runs 1, 3 and 4 (host b)"}));
  EXPECT_TRUE(told_turns({on("local:3"), on("docker:3"), on("a,b")}).empty());
  EXPECT_TRUE(told_turns({on("local:3", "slow")}).empty()) << "there is nobody to wait for";
  const auto many = told_turns(std::vector<MachineNeeds>(20, on("a")));
  EXPECT_EQ(many, (std::vector<std::string>{"one at a time: runs 1, 2, 3, 4, 5, 6, 7, 8 and 12 more (host a)"}));
}

}  // namespace
}  // namespace ordeal
