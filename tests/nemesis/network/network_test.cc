// What faults do to packets between nodes, seen by a program that shares nothing with Ordeal (network_observer.py), and
// that nothing of it is left.

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing_support::FaultTest;

// What numbered datagrams went through.
struct Received {
  int distinct = 0;
  int twice = 0;
  int late = 0;
  int damaged = 0;
  double bytes_per_s = 0;
};

class NetworkTest : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (on(0, "command -v /usr/bin/python3 || echo none") == "none\n") GTEST_SKIP() << "no python3 here";
    for (std::size_t i = 0; i < 5; ++i) {
      std::ifstream file(NETWORK_OBSERVER);
      std::stringstream text;
      text << file.rdbuf();
      Command put = root_script("cat >/root/observer.py", Deadline::after_s(60));
      put.input = text.str();
      ASSERT_TRUE(run_ok(cluster().at(i), put));
      before_.push_back(all_rules(i));
    }
  }

  std::string observe(std::size_t node, const std::string& words) {
    return on(node, "/usr/bin/python3 /root/observer.py " + words);
  }

  std::string all_rules(std::size_t node) {
    return on(node, "for t in iptables ip6tables; do for table in filter mangle; do $t -t $table -S; done; done");
  }

  // Prepared, armed, injected.
  std::unique_ptr<Injection> inject(const std::string& fault, const std::string& id = "test-1") {
    auto planned = plan(fault, 1, id);
    EXPECT_TRUE(planned) << planned.error().message;
    const auto prepared = (*planned)->prepare(Deadline::after_s(60));
    EXPECT_TRUE(prepared) << prepared.error().message;
    arm(**planned, fault, id);
    const auto done = (*planned)->make_ready(Deadline::after_s(60)).and_then([&] {
      return (*planned)->inject(Deadline::after_s(60));
    });
    EXPECT_TRUE(done) << done.error().message;
    return *std::move(planned);
  }
  void expect_confirmed(Injection& injection, const std::string& evidence) {
    const auto seen = injection.confirm(Deadline::after_s(60));
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_TRUE(seen->confirmed) << seen->evidence;
    EXPECT_THAT(seen->evidence, HasSubstr(evidence));
    RecordProperty("evidence", seen->evidence);
  }
  void expect_healed(Injection& injection, const std::string& fault, const std::string& id = "test-1") {
    const auto still = testing_support::shortly(0.5, [&](Deadline limit) { return injection.confirm_healed(limit); });
    ASSERT_TRUE(still);
    EXPECT_FALSE(still->confirmed) << "healed before it was undone: " << still->evidence;
    undo(injection, fault, id);
    const auto seen = injection.confirm_healed(Deadline::after_s(60));
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_TRUE(seen->confirmed) << seen->evidence;
    EXPECT_EQ(remains(), "");
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(all_rules(i), before_[i]) << "node " << i;
  }

  double connect_s(std::size_t from, const std::string& to, int port = 22) {
    return std::atof(observe(from, "connect " + to + " " + std::to_string(port)).c_str());
  }

  // The quickest of ten connections, of which a busy machine may hold up some.
  double quickest_s(std::size_t from, const std::string& to, int port = 22) {
    double best = 60;
    for (int i = 0; i < 10 && best > 0.05; ++i) best = std::min(best, connect_s(from, to, port));
    return best;
  }

  // Sends datagrams from one node to an address of another.
  Received datagrams(std::size_t from, std::size_t to, const std::string& address, int count, double gap_s = 0.0005) {
    std::string seen;
    {
      std::jthread receiver([&] { seen = observe(to, "receive 9999 8"); });
      // What comes before it listens is lost by nobody's fault.
      for (int i = 0; i < 100 && on(to, "ss -Hulno 'sport = :9999'").empty(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      observe(from, "send " + address + " 9999 " + std::to_string(count) + " " + std::to_string(gap_s));
    }
    Received out;
    std::istringstream(seen) >> out.distinct >> out.twice >> out.late >> out.damaged >> out.bytes_per_s;
    return out;
  }

  // How a conversation of so many exchanges ended.
  std::string talk(std::size_t from, std::size_t to, const std::string& address, int rounds) {
    std::jthread server([&] { observe(to, "serve 9998 3"); });
    return observe(from, "talk " + address + " 9998 " + std::to_string(rounds));
  }

  const std::string& address6(std::size_t node) { return set_.local->state().nodes[node].address6; }
  std::vector<std::string> before_;
};

TEST_F(NetworkTest, LatencyHoldsUpWhatNodesSendEachOtherAndNobodyElse) {
  set("latency.nodes", "n1");
  set("latency.delay", "100ms");
  set("latency.jitter", "10ms");
  const auto latency = inject("latency");
  expect_confirmed(*latency, "later by what was meant");
  for (const std::string& to : {address(0), address6(0)}) {
    if (to.empty()) continue;
    EXPECT_GT(connect_s(1, to), 0.18) << to;
    EXPECT_LT(quickest_s(1, to), 0.6) << to;
  }
  EXPECT_LT(quickest_s(1, address(2)), 0.09);
  auto quickest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 10; ++i) {
    const auto began = std::chrono::steady_clock::now();
    on(0, ":");
    quickest = std::min(quickest, std::chrono::steady_clock::now() - began);
  }
  EXPECT_LT(quickest, std::chrono::milliseconds(90)) << "the controller is not held up";
  const auto measured = latency->measure(Deadline::after_s(30));
  ASSERT_TRUE(measured);
  const Value* times = measured->find("rtt_ms");
  ASSERT_NE(times, nullptr);
  ASSERT_EQ(times->entries().size(), 4U) << "n1 with each of the others";
  for (const auto& [pair, ms] : times->entries()) EXPECT_GT(ms.real(), 150) << pair.string();
  expect_healed(*latency, "latency");
  EXPECT_LT(quickest_s(1, address(0)), 0.09);
}

TEST_F(NetworkTest, LossLosesAShareInTheDirectionThatWasMeant) {
  set("loss.nodes", "n1");
  set("loss.peers", "n2");
  set("loss.direction", "in");
  set("loss.percent", "30");
  const auto loss = inject("loss");
  expect_confirmed(*loss, "were lost");
  const Received hit = datagrams(1, 0, address(0), 1000);
  EXPECT_GT(hit.distinct, 600);
  EXPECT_LT(hit.distinct, 800);
  EXPECT_EQ(hit.twice + hit.damaged, 0);
  EXPECT_EQ(datagrams(0, 1, address(1), 300).distinct, 300) << "the other way";
  expect_healed(*loss, "loss");
  EXPECT_EQ(datagrams(1, 0, address(0), 300).distinct, 300);
}

TEST_F(NetworkTest, DuplicatesArriveTwiceByIPv4AndIPv6) {
  set("duplicate.nodes", "n1");
  set("duplicate.peers", "n2");
  set("duplicate.percent", "50");
  const auto duplicate = inject("duplicate");
  expect_confirmed(*duplicate, "arrived twice");
  for (const std::string& to : {address(0), address6(0)}) {
    if (to.empty()) continue;
    const Received hit = datagrams(1, 0, to, 500);
    EXPECT_EQ(hit.distinct, 500) << to;
    EXPECT_GT(hit.twice, 180) << to;
    EXPECT_LT(hit.twice, 320) << to;
  }
  expect_healed(*duplicate, "duplicate");
}

TEST_F(NetworkTest, ReorderLetsPacketsOvertakeOthers) {
  set("reorder.nodes", "n1");
  set("reorder.peers", "n2");
  set("reorder.percent", "20");
  set("reorder.by", "20ms");
  const auto reorder = inject("reorder");
  expect_confirmed(*reorder, "after one that was sent later");
  const Received hit = datagrams(1, 0, address(0), 500);
  EXPECT_EQ(hit.distinct, 500) << "none is lost";
  EXPECT_EQ(hit.twice, 0);
  EXPECT_GT(hit.late, 40);
  expect_healed(*reorder, "reorder");
}

TEST_F(NetworkTest, CorruptPacketsAreDiscardedByTheReceiversKernel) {
  set("corrupt.nodes", "n1");
  set("corrupt.peers", "n2");
  set("corrupt.percent", "20");
  const auto corrupt = inject("corrupt");
  expect_confirmed(*corrupt, "for their checksum");
  const Received hit = datagrams(1, 0, address(0), 500);
  EXPECT_GT(hit.distinct, 330);
  EXPECT_LT(hit.distinct, 450);
  EXPECT_EQ(hit.damaged, 0);
  expect_healed(*corrupt, "corrupt");
}

TEST_F(NetworkTest, CorruptPacketsWithARepairedChecksumReachTheProgram) {
  set("corrupt.nodes", "n1");
  set("corrupt.peers", "n2");
  set("corrupt.percent", "20");
  set("corrupt.checksum", "repaired");
  const auto corrupt = inject("corrupt");
  expect_confirmed(*corrupt, "other bytes than were sent");
  for (const std::string& to : {address(0), address6(0)}) {
    if (to.empty()) continue;
    const Received hit = datagrams(1, 0, to, 500);
    EXPECT_GT(hit.damaged, 50) << to;
    EXPECT_LT(hit.damaged, 170) << to;
    EXPECT_GE(hit.damaged + hit.distinct, 499) << to << ": every one arrives";
  }
  expect_healed(*corrupt, "corrupt");
}

TEST_F(NetworkTest, BandwidthLimitsEachLink) {
  set("bandwidth.nodes", "n1");
  set("bandwidth.peers", "n2");
  set("bandwidth.rate", "1000");
  const auto bandwidth = inject("bandwidth");
  expect_confirmed(*bandwidth, "where 1000 are allowed");
  const Received hit = datagrams(1, 0, address(0), 400, 0.0002);  // ten times as fast as allowed
  EXPECT_LT(hit.bytes_per_s, 150'000);
  EXPECT_GT(hit.bytes_per_s, 60'000);
  EXPECT_EQ(datagrams(2, 1, address(1), 400, 0.0002).distinct, 400) << "a link that is not touched";
  expect_healed(*bandwidth, "bandwidth");
}

TEST_F(NetworkTest, OnlyTheChosenPortsAreTouched) {
  set("latency.nodes", "n1");
  set("latency.peers", "n2");
  set("latency.delay", "100ms");
  set("latency.ports", "7001,7002");
  const auto latency = inject("latency");
  expect_confirmed(*latency, "later by what was meant");
  EXPECT_GT(connect_s(1, address(0), 7001), 0.15);
  EXPECT_GT(connect_s(0, address(1), 7002), 0.15);
  EXPECT_LT(quickest_s(1, address(0), 22), 0.09);
  EXPECT_LT(quickest_s(1, address(0), 7003), 0.09);
  expect_healed(*latency, "latency");
}

TEST_F(NetworkTest, ResetEndsConnectionsThatAreInUse) {
  set("reset.nodes", "n1");
  set("reset.peers", "n2");
  set("reset.percent", "5");
  const auto reset = inject("reset");
  expect_confirmed(*reset, "were reset after they had been opened");
  for (const std::string& to : {address(0), address6(0)}) {
    if (to.empty()) continue;
    EXPECT_EQ(talk(1, 0, to, 300), "reset\n") << to;
  }
  EXPECT_EQ(talk(1, 2, address(2), 300), "closed\n") << "a link that is not touched";
  expect_healed(*reset, "reset");
  EXPECT_EQ(talk(1, 0, address(0), 300), "closed\n");
}

TEST_F(NetworkTest, SlowCloseKeepsTheEndOfAConnectionFromArriving) {
  set("slow-close.nodes", "n1");
  set("slow-close.peers", "n2");
  const auto slow = inject("slow-close");
  expect_confirmed(*slow, "hung when one end had closed them");
  EXPECT_EQ(talk(1, 0, address(0), 10), "hung\n");
  expect_healed(*slow, "slow-close");
  EXPECT_EQ(talk(1, 0, address(0), 10), "closed\n");
}

// The name server is the test's own, in the network between the nodes; the program that asks is the C library's.
class DnsTest : public NetworkTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(DnsTest, NamesAreNotFoundWhileItIsInForce) {
  on(2,
     "echo 'nameserver " + address(1) + "' >/etc/resolv.conf; echo 'options timeout:1 attempts:1' >>/etc/resolv.conf");
  on(1, "setsid /usr/bin/python3 /root/observer.py names 10.1.2.3 </dev/null >/dev/null 2>&1 &");
  const auto resolve = [&] {
    return on(2, "LOCALDOMAIN= timeout 4 getent -s dns ahostsv4 some.name.example | awk 'NR == 1 {print $1}'");
  };
  for (int i = 0; i < 50 && resolve() != "10.1.2.3\n"; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_EQ(resolve(), "10.1.2.3\n");
  set("dns.nodes", "n3");
  set("dns.answer", GetParam());
  const auto dns = inject("dns");
  expect_confirmed(*dns, address(1));
  EXPECT_EQ(resolve(), "");
  expect_healed(*dns, "dns");
  EXPECT_EQ(resolve(), "10.1.2.3\n");
  on(1, "kill $(pgrep -f 'observer[.]py names')");
}

INSTANTIATE_TEST_SUITE_P(Answers, DnsTest, ::testing::Values("silence", "nxdomain", "servfail", "refused"),
                         [](const auto& one) { return std::string(one.param); });

// What the agent lets pass is no way round the rules of others: a partition's, the user's, another agent's.
TEST_F(NetworkTest, FaultsAddUpAndFiltersStayInForce) {
  on(0, "iptables -A INPUT -p tcp --dport 7009 -j DROP");
  before_[0] = all_rules(0);
  set("latency.nodes", "n1");
  set("latency.delay", "50ms");
  set("latency.jitter", "0");
  set("duplicate.nodes", "n1");
  set("duplicate.peers", "n2");
  set("duplicate.percent", "50");
  const auto latency = inject("latency", "test-1");
  const auto duplicate = inject("duplicate", "test-2");
  expect_confirmed(*latency, "later by what was meant");
  expect_confirmed(*duplicate, "arrived twice");
  EXPECT_GT(connect_s(1, address(0)), 0.08);
  EXPECT_GT(connect_s(1, address(0), 7009), 1.9) << "dropped by the user";
  set("partition.shape", "primaries");
  target_->leaders = {0};
  const auto partition = inject("partition", "test-3");
  expect_confirmed(*partition, "now meet silence");
  EXPECT_FALSE(answers(1, address(0)));
  undo(*partition, "partition", "test-3");
  undo(*latency, "latency", "test-1");
  EXPECT_LT(quickest_s(1, address(0)), 0.07);
  expect_confirmed(*duplicate, "arrived twice");
  expect_healed(*duplicate, "duplicate", "test-2");
}

// Where the kernel has no netem, asking for it is an error, and nothing is touched; where it has, it works.
TEST_F(NetworkTest, NetemDelaysOrSaysThatTheKernelHasNone) {
  set("latency.nodes", "n1");
  set("latency.peers", "n2");
  set("latency.delay", "100ms");
  set("latency.mechanism", "netem");
  const std::string before = on(0, "tc qdisc show");
  auto latency = plan("latency", 1, "test-1");
  ASSERT_TRUE(latency);
  if (const auto prepared = (*latency)->prepare(Deadline::after_s(60)); !prepared) {
    EXPECT_THAT(prepared.error().message, AllOf(HasSubstr("not by netem: n"), HasSubstr("qdisc kind is unknown")));
  } else {
    arm(**latency, "latency", "test-1");
    ASSERT_TRUE((*latency)->make_ready(Deadline::after_s(60)).and_then([&] {
      return (*latency)->inject(Deadline::after_s(60));
    }));
    expect_confirmed(**latency, "later by what was meant");
    EXPECT_GT(connect_s(1, address(0)), 0.15);
    EXPECT_LT(quickest_s(2, address(0)), 0.09);
    undo(**latency, "latency", "test-1");
  }
  EXPECT_EQ(on(0, "tc qdisc show"), before);
  EXPECT_EQ(remains(), "");
}

// Whichever it is by default, the record says it; a device with a queue of somebody's making is left alone.
TEST_F(NetworkTest, TheRecordSaysWhichMechanismItIsAndWhy) {
  on(0, "tc qdisc add dev eth0 root handle 7: pfifo limit 77");
  const std::string before = on(0, "tc qdisc show");
  set("latency.nodes", "n1");
  set("latency.peers", "n2");
  set("latency.delay", "100ms");
  const auto latency = inject("latency");
  const Value record = latency->describe();
  ASSERT_NE(record.find("mechanism"), nullptr);
  EXPECT_EQ(record.find("mechanism")->string(), "iptables (NFQUEUE) and agent");
  ASSERT_NE(record.find("not_netem"), nullptr);
  EXPECT_THAT(record.find("not_netem")->string(),
              AnyOf(HasSubstr("device eth0 has a queue of somebody's making"), HasSubstr("qdisc kind is unknown")));
  expect_confirmed(*latency, "later by what was meant");
  undo(*latency, "latency", "test-1");
  EXPECT_EQ(on(0, "tc qdisc show"), before);
}

TEST_F(NetworkTest, AnAgentThatIsKilledLetsEverythingPass) {
  set("latency.nodes", "n1");
  set("latency.direction", "in");
  set("latency.delay", "200ms");
  const auto latency = inject("latency");
  EXPECT_GT(connect_s(1, address(0)), 0.15);
  on(0,
     "p=$(cut -d' ' -f1 /var/lib/ordeal/faults/test-1/background); kill -KILL $p; n=0; while kill -0 $p 2>/dev/null && "
     "[ $n -lt 200 ]; do n=$((n + 1)); sleep 0.05; done");
  EXPECT_LT(quickest_s(1, address(0)), 0.09);
  const auto seen = latency->confirm_healed(Deadline::after_s(60));
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->confirmed) << seen->evidence;
  undo(*latency, "latency", "test-1");
  EXPECT_EQ(remains(), "");
}

TEST_F(NetworkTest, TheDeadMansSwitchRemovesRulesAndAgent) {
  set("latency.nodes", "n1");
  set("latency.delay", "200ms");
  auto latency = plan("latency", 1, "test-1");
  ASSERT_TRUE(latency);
  ASSERT_TRUE((*latency)->prepare(Deadline::after_s(60)));
  arm(**latency, "latency", "test-1");
  ASSERT_TRUE((*latency)->make_ready(Deadline::after_s(60)));
  ASSERT_TRUE((*latency)->inject(Deadline::after_s(60)));
  std::string left = left_behind();
  EXPECT_THAT(left, HasSubstr("ORDEAL-test-1"));
  fall_silent("test-1", 1);
  for (int i = 0; i < 60 && !left.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    left = left_behind();
  }
  EXPECT_EQ(left, "");
  EXPECT_LT(quickest_s(1, address(0)), 0.09);
}

// With nemesis.quorum=keep nobody may rely on links that carry next to nothing.
TEST_F(NetworkTest, LinksThatCarryNextToNothingCountAsCut) {
  const auto cut = [&](const std::string& fault, const std::string& option, const std::string& value) {
    set(fault + ".nodes", "n1");
    set(fault + ".peers", "n2,n3");
    set(fault + "." + option, value);
    const auto planned = plan(fault, 1, "test-1");
    EXPECT_TRUE(planned) << planned.error().message;
    return (*planned)->impairment().cut;
  };
  const std::vector<std::pair<std::size_t, std::size_t>> links = {{0, 1}, {0, 2}};
  EXPECT_THAT(cut("loss", "percent", "49"), IsEmpty());
  EXPECT_EQ(cut("loss", "percent", "50"), links);
  EXPECT_EQ(cut("corrupt", "percent", "60"), links);
  EXPECT_THAT(cut("corrupt", "percent", "30"), IsEmpty());
  EXPECT_EQ(cut("corrupt", "checksum", "repaired"), links) << "30 percent of false contents";
  EXPECT_THAT(cut("bandwidth", "rate", "500"), IsEmpty());
  EXPECT_EQ(cut("bandwidth", "rate", "100"), links);
  EXPECT_THAT(cut("duplicate", "percent", "100"), IsEmpty());
  set("latency.jitter", "0");
  EXPECT_THAT(cut("latency", "delay", "499ms"), IsEmpty());
  EXPECT_EQ(cut("latency", "delay", "500ms"), links) << "there and back it is the second after which one elects";
  set("latency.direction", "in");
  EXPECT_THAT(cut("latency", "delay", "500ms"), IsEmpty());
  EXPECT_THAT(cut("latency", "delay", "1s"), SizeIs(2)) << "one direction is enough";
}

}  // namespace
}  // namespace ordeal
