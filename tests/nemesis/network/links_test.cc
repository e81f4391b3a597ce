#include "nemesis/network/links.h"

#include <gmock/gmock.h>

#include "nemesis/engine/heartbeat.h"
#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::FaultTest;

class LinksTest : public FaultTest {
 protected:
  std::vector<Link> probe(const std::vector<std::string>& addresses, int port) {
    std::vector<Probe> probes;
    for (const auto& to : addresses) probes.push_back({0, 1, to});
    return probe_links(cluster(), "test-links", false, probes, port, 500, Deadline::after_s(60)).links;
  }
  // So many addresses that answer: all of 127.0.0.0/8 are the node's own.
  static std::vector<std::string> own_addresses(std::size_t count) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back("127.0.0." + std::to_string(100 + i));
    return out;
  }
};

class RegressLinksTest : public LinksTest {};

TEST_F(LinksTest, AnAcceptedAndARefusedConnectionAreAnswersAndSilenceIsNone) {
  on(1, "iptables -A INPUT -p tcp --dport 4444 -j DROP");
  EXPECT_THAT(probe({address(1), set_.local->state().nodes[1].address6}, 22), Each(Link::open));
  EXPECT_THAT(probe({address(1)}, 4445), ElementsAre(Link::open)) << "nobody listens there";
  EXPECT_THAT(probe({address(1), address(2)}, 4444), ElementsAre(Link::silent, Link::open));
  EXPECT_THAT(probe({"10.77.0.222"}, 22), ElementsAre(Link::silent)) << "nobody has this address";
  EXPECT_THAT(probe({"n1", address(1)}, 22), ElementsAre(Link::unknown, Link::open)) << "the first is no address";
  EXPECT_EQ(remains(), "");
}

// Each probe made the asked node's sshd start a process, so that 50 nodes needed 15 seconds for it.
TEST_F(RegressLinksTest, TheProgramThatIsAskedHearsNothingOfIt) {
  on(1,
     "cat >/tmp/listen.py <<'END'\n"
     "import socket, time\n"
     "s = socket.create_server(('0.0.0.0', 4444))\n"
     "open('/tmp/listens', 'w').close()\n"
     "while True:\n"
     "    s.accept()\n"
     "    open('/tmp/accepted', 'a').write('x')\n"
     "END\n"
     "setsid python3 /tmp/listen.py </dev/null >/dev/null 2>&1 & until [ -e /tmp/listens ]; do sleep 0.01; done");
  // A prober that has to wait for the processor for longer than the kernel holds the handshake back (200 ms) is heard.
  for (int attempt = 0; attempt < 10; ++attempt) {
    on(1, "rm -f /tmp/accepted");
    EXPECT_THAT(probe({address(1)}, 4444), ElementsAre(Link::open));
    if (on(1, "sleep 0.5; ls /tmp/accepted 2>/dev/null; true").empty()) return;
  }
  ADD_FAILURE() << "each of ten probes was heard";
}

TEST_F(LinksTest, WhereNoProgramMayBeRunTheShellAsksForSomeOfThem) {
  const auto asked = own_addresses(kShellProbes + 5);
  EXPECT_THAT(probe(asked, 22), Each(Link::open));
  on(0, "mount -t tmpfs -o noexec tmpfs /var/lib");
  const auto links = probe(asked, 22);
  EXPECT_EQ(std::count(links.begin(), links.end(), Link::open), static_cast<std::ptrdiff_t>(kShellProbes));
  EXPECT_EQ(std::count(links.begin(), links.end(), Link::unknown), 5);
  EXPECT_THAT(probe({"10.77.0.222"}, 22), ElementsAre(Link::silent));
  on(0, "umount /var/lib");
}

// Links that were not answered before the injection were left out without a word.
TEST_F(RegressLinksTest, UnansweredLinksAreTold) {
  on(1, "iptables -A INPUT -p tcp --dport 4444 -j DROP");
  set("partition.shape", "one");
  set("partition.probe-port", "4444");
  auto planned = plan("partition", 3, "test-dim");
  ASSERT_TRUE(planned);
  ASSERT_TRUE((*planned)->prepare(Deadline::after_s(60)));
  ASSERT_TRUE((*planned)->inject(Deadline::after_s(60)));
  const auto seen = (*planned)->confirm(Deadline::after_s(30));
  ASSERT_TRUE(seen);
  EXPECT_THAT(seen->evidence, HasSubstr("links looked at: 4 did not answer before (the first: n1 to n2"));
  undo(**planned, "partition", "test-dim");
  EXPECT_EQ(remains(), "");
}

// 200 beats every half second took both cores, and switches fired for want of them.
TEST(RegressHeartbeat, InALargeClusterBeatsAreRareAndSwitchesPatient) {
  using std::chrono::milliseconds;
  EXPECT_EQ(beat_interval(5), milliseconds(500));
  EXPECT_EQ(beat_interval(25), milliseconds(500));
  EXPECT_EQ(beat_interval(200), milliseconds(4000));
  EXPECT_EQ(dead_man_limit_s(3, 25), 3);
  EXPECT_EQ(dead_man_limit_s(3, 50), 4);
  EXPECT_EQ(dead_man_limit_s(3, 200), 16);
  EXPECT_EQ(dead_man_limit_s(60, 200), 60);
}

}  // namespace
}  // namespace ordeal
