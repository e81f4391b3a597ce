// The way between clients and nodes, on real nodes: cut, slow and lossy, seen from here, where clients are, while the
// nodes see each other and the controller's own connections stay.

#include <gmock/gmock.h>

#include "nemesis/network/client_probe.h"
#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using testing_support::FaultTest;

class ClientsTest : public FaultTest {
 protected:
  std::unique_ptr<Injection> inject(const std::string& id) {
    auto planned = plan("clients", 3, id);
    EXPECT_TRUE(planned) << planned.error().message;
    if (!planned) return nullptr;
    Injection& injection = **planned;
    auto done = injection.prepare(Deadline::after_s(20));
    EXPECT_TRUE(done) << done.error().message;
    if (!done) return nullptr;
    arm(injection, "clients", id);
    done = injection.make_ready(Deadline::after_s(20));
    if (done) done = injection.inject(Deadline::after_s(20));
    EXPECT_TRUE(done) << done.error().message;
    return *std::move(planned);
  }
  void expect_confirmed(Injection& injection) {
    const auto seen = injection.confirm(Deadline::after_s(20));
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_TRUE(seen->confirmed) << seen->evidence;
  }
  void expect_healed(Injection& injection, const std::string& id) {
    undo(injection, "clients", id);
    const auto healed = injection.confirm_healed(Deadline::after_s(20));
    ASSERT_TRUE(healed) << healed.error().message;
    EXPECT_TRUE(healed->confirmed) << healed->evidence;
    EXPECT_EQ(remains(), "");
  }
  ClientAnswers seen_from_here(std::size_t node, int port = 7) {
    return probe_from_here({address(node)}, port, 3, 1500).front();
  }
};

TEST_F(ClientsTest, ACutKeepsClientsOutAndTheNodesTogether) {
  on(0, "iptables -N MINE && iptables -A INPUT -j MINE");
  const std::string before = rules(0);
  set("clients.kind", "cut");
  set("clients.nodes", "n1,n3");
  const auto injection = inject("test-cut");
  ASSERT_NE(injection, nullptr);
  expect_confirmed(*injection);
  EXPECT_EQ(seen_from_here(0).answered, 0);
  EXPECT_EQ(seen_from_here(1).answered, 3);
  EXPECT_EQ(seen_from_here(2).answered, 0);
  // The nodes among themselves, both ways, and the controller's connection, which `on` uses.
  for (int attempt = 0; attempt < 20 && !(answers(0, address(2)) && answers(1, address(0))); ++attempt) {
  }
  EXPECT_TRUE(answers(0, address(2)));
  EXPECT_TRUE(answers(1, address(0)));
  EXPECT_EQ(on(0, "echo here"), "here\n");
  expect_healed(*injection, "test-cut");
  EXPECT_EQ(seen_from_here(0).answered, 3);
  EXPECT_EQ(rules(0), before);
}

TEST_F(ClientsTest, OnlyThePortsThatAreNamedAreCut) {
  set("clients.kind", "cut");
  set("clients.nodes", "n2");
  set("clients.ports", "7001,7002");
  const auto injection = inject("test-ports");
  ASSERT_NE(injection, nullptr);
  expect_confirmed(*injection);
  EXPECT_EQ(seen_from_here(1, 7002).answered, 0);
  EXPECT_EQ(seen_from_here(1, 7003).answered, 3);
  expect_healed(*injection, "test-ports");
}

TEST_F(ClientsTest, LatencyHoldsUpWhatClientsSend) {
  set("clients.kind", "latency");
  set("clients.delay", "300ms");
  set("clients.nodes", "n1");
  const auto injection = inject("test-late");
  ASSERT_NE(injection, nullptr);
  expect_confirmed(*injection);
  // Regress: connections were timed from when their list last grew, which on a busy machine is later than their begin.
  EXPECT_GE(seen_from_here(0).median_ms, 300);
  expect_healed(*injection, "test-late");
}

TEST_F(ClientsTest, LossLosesAPart) {
  set("clients.kind", "loss");
  set("clients.percent", "40");
  set("clients.nodes", "n4");
  const auto injection = inject("test-lost");
  ASSERT_NE(injection, nullptr);
  expect_confirmed(*injection);
  expect_healed(*injection, "test-lost");
}

// The controller would lose its nodes.
TEST_F(ClientsTest, ThePortOfSshIsRefused) {
  set("clients.kind", "cut");
  set("clients.ports", "7001,22");
  auto planned = plan("clients", 3, "test-ssh");
  ASSERT_TRUE(planned);
  const auto prepared = (*planned)->prepare(Deadline::after_s(20));
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message, HasSubstr("22 is the port by which the controller reaches"));
}

TEST_F(ClientsTest, WhatDidNotAnswerBeforeProvesNothing) {
  on(1, "iptables -A INPUT -p tcp --dport 4444 -j DROP");
  set("clients.kind", "cut");
  set("clients.nodes", "n2");
  set("clients.probe-port", "4444");
  const auto injection = inject("test-dark");
  ASSERT_NE(injection, nullptr);
  const auto seen = injection->confirm(Deadline::after_s(1));
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->confirmed);
  EXPECT_THAT(seen->evidence, HasSubstr("no proof"));
  undo(*injection, "clients", "test-dark");
  EXPECT_EQ(remains(), "");
}

// The controller is gone: the nodes let the clients in again by themselves.
TEST_F(ClientsTest, ItEndsWithTheController) {
  set("clients.kind", "cut");
  set("clients.nodes", "all");
  const auto injection = inject("test-dead");
  ASSERT_NE(injection, nullptr);
  expect_confirmed(*injection);
  fall_silent("test-dead", 1);
  for (int attempt = 0; attempt < 60 && seen_from_here(0).answered == 0; ++attempt) {
  }
  EXPECT_EQ(seen_from_here(0).answered, 3);
  EXPECT_EQ(remains(), "");
}

TEST_F(ClientsTest, SelectorsAndNamesAreChecked) {
  set("clients.nodes", "n1,n22");
  EXPECT_THAT((*find_fault("clients"))->inapplicable(context()), HasSubstr("did you mean \"n2\"?"));
  set("clients.nodes", "one");
  set("clients.ports", "http");
  EXPECT_THAT((*find_fault("clients"))->inapplicable(context()), HasSubstr("clients.ports"));
}

}  // namespace
}  // namespace ordeal
