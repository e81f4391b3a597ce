// The clocks of real servers, seen from outside: what they tell their clients and write into their logs.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <thread>

#include "nemesis/node/agent_program.h"
#include "nemesis/node/node_state.h"
#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::Events;
using testing_support::FaultTest;
using testing_support::ProgramTarget;

// Programs by which a server is started and found; all listen on loopback of their node.
const ProgramTarget::Program kEtcd = {
    "pgrep -x etcd >/dev/null || setsid etcd --data-dir /var/lib/clock-etcd --logger zap --log-outputs stderr "
    "--unsafe-no-fsync </dev/null >>/var/log/clock-etcd.log 2>&1 &",
    "pgrep -x etcd; exit 0"};
// As etcd's own log has it: the time of its newest line, which a request for defragmentation makes it write.
constexpr const char* kEtcdTime = R"sh(exec 3<>/dev/tcp/127.0.0.1/2379 || exit 1
printf 'POST /v3/maintenance/defragment HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}' >&3
timeout 5 cat <&3 >/dev/null
line=$(grep -F 'finished defragment' /var/log/clock-etcd.log | tail -n 1)
date -d "$(printf %s "$line" | sed 's/.*"ts":"\([^"]*\)".*/\1/')" +%s.%N)sh";

const ProgramTarget::Program kRedis = {
    "pgrep -x redis-server >/dev/null || setsid redis-server --port 6379 --save '' --daemonize no </dev/null "
    ">/dev/null 2>&1 &",
    "pgrep -x redis-server; exit 0"};
constexpr const char* kRedisTime = R"sh(exec 3<>/dev/tcp/127.0.0.1/6379 || exit 1
printf 'TIME\r\n' >&3
for i in 1 2 3 4 5; do read -r -t 5 word <&3; [ $i = 3 ] && seconds=${word%?}; done
printf '%s.%06d\n' "$seconds" "$((10#${word%?}))")sh";

constexpr const char* kPostgresSetUp =
    R"sh(rm -rf /var/lib/clock-pg && mkdir /var/lib/clock-pg && chown postgres /var/lib/clock-pg
cd / && setpriv --reuid=postgres --regid=postgres --clear-groups /usr/lib/postgresql/15/bin/initdb -N -A trust -D /var/lib/clock-pg >/dev/null)sh";
const ProgramTarget::Program kPostgres = {
    "cd /; pgrep -x postgres >/dev/null || setsid setpriv --reuid=postgres --regid=postgres --clear-groups "
    "/usr/lib/postgresql/15/bin/postgres -D /var/lib/clock-pg -k /var/lib/clock-pg -c fsync=off -c jit=off "
    "</dev/null >/var/log/clock-pg.log 2>&1 &",
    "pgrep -x postgres; exit 0"};
constexpr const char* kPostgresTime =
    "cd /; psql -h /var/lib/clock-pg -U postgres -Atc 'SELECT extract(epoch from clock_timestamp())'";

// The time of the newest line of its log, which a question makes it write.
constexpr const char* kZooKeeperSetUp = R"sh(mkdir -p /var/lib/clock-zk && cd /var/lib/clock-zk
printf 'tickTime=500\ndataDir=/var/lib/clock-zk\nclientPort=2181\n4lw.commands.whitelist=*\nadmin.enableServer=false\n' >zoo.cfg
printf 'log4j.rootLogger=INFO, OUT\nlog4j.appender.OUT=org.apache.log4j.ConsoleAppender\n' >log4j.properties
printf 'log4j.appender.OUT.layout=org.apache.log4j.PatternLayout\nlog4j.appender.OUT.layout.ConversionPattern=%%d{ISO8601} %%m%%n\n' >>log4j.properties)sh";
const ProgramTarget::Program kZooKeeper = {
    "cd /var/lib/clock-zk && pgrep -x java >/dev/null || TZ=UTC setsid java -Xmx96m -Xshare:auto "
    "-XX:TieredStopAtLevel=1 -cp "
    ".:/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-log4j12.jar:/usr/share/java/log4j-1.2.jar "
    "org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg </dev/null >/var/log/clock-zk.log 2>&1 &",
    "pgrep -x java; exit 0"};
constexpr const char* kZooKeeperTime = R"sh(exec 3<>/dev/tcp/127.0.0.1/2181 || exit 1
printf srvr >&3
timeout 2 head -c 20 <&3 >/dev/null
line=$(grep -F 'Processing srvr' /var/log/clock-zk.log | tail -n 1)
date -u -d "$(printf %s "$line" | cut -c1-23 | tr , .)" +%s.%N)sh";

struct Server {
  const char* name;
  const ProgramTarget::Program* program;
  const char* needs;   // a file or command without which it cannot be here
  const char* set_up;  // on each node before it is started
  const char* time;    // prints what it takes for the time, as it tells it to others
};
const Server kServers[] = {
    {"Etcd", &kEtcd, "etcd", "", kEtcdTime},
    {"Redis", &kRedis, "redis-server", "", kRedisTime},
    {"Postgres", &kPostgres, "/usr/lib/postgresql/15/bin/postgres", kPostgresSetUp, kPostgresTime},
    {"ZooKeeper", &kZooKeeper, "/usr/share/java/zookeeper.jar", kZooKeeperSetUp, kZooKeeperTime}};
const Server& server(std::string_view name) {
  return *std::find_if(std::begin(kServers), std::end(kServers), [&](const Server& one) { return one.name == name; });
}

class ClockTest : public FaultTest {
 protected:
  // A server on the named nodes, ready when it tells the time.
  void serve(const Server& server, const std::vector<std::size_t>& nodes) {
    time_script_ = "bash -c " + shell_quote(server.time);
    target_ = std::make_unique<ProgramTarget>(cluster(), *server.program);
    if (on(0, fmt::format("[ -e {0} ] || command -v {0} >/dev/null || echo none", server.needs)) == "none\n") {
      GTEST_SKIP() << "no " << server.needs << " here";
    }
    for (const std::size_t node : nodes) {
      if (*server.set_up != 0) on(node, server.set_up);
      const auto done = target_->start(cluster().at(node));
      ASSERT_TRUE(done) << done.error().message;
    }
    for (const std::size_t node : nodes) ASSERT_TRUE(await_time(node)) << "the server does not start";
  }
  bool await_time(std::size_t node) {
    for (int i = 0; i < 100; ++i) {
      auto out = run_ok(cluster().at(node), Command(time_script_));
      if (out && std::atof(out->c_str()) > 1e9) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }
  static double wall_clock() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  // How much the server is ahead of the controller, by what it tells; asking takes a moment, `slack_` around `asked_`.
  // Where the machine is busy and that moment is long, it is asked again, and the shortest moment counts.
  double ahead(std::size_t node) {
    double seen = 0;
    slack_ = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 5 && slack_ > 0.03; ++i) {
      const double before = wall_clock();
      const double told = std::atof(on(node, time_script_).c_str());
      const double after = wall_clock();
      const double slack = (after - before) / 2 + 0.01;
      if (slack >= slack_) continue;
      slack_ = slack;
      asked_ = (before + after) / 2;
      seen = told - asked_;
    }
    return seen;
  }
  void expect_ahead(std::size_t node, double seconds) {
    const double seen = ahead(node);
    EXPECT_NEAR(seen, seconds, slack_) << "node " << node;
  }
  // The node's own clock.
  void expect_node_clock_right(std::size_t node) {
    const double before = wall_clock();
    const double told = std::atof(on(node, "date +%s.%N").c_str());
    EXPECT_GE(told, before - 0.001);
    EXPECT_LE(told, wall_clock() + 0.001);
  }
  // Of every process of the target: the memory map, as far as files and libraries go, and the bytes of its vDSO.
  std::string memory_of_target(std::size_t node) {
    const auto pids = target_->pids(cluster().at(node));
    EXPECT_TRUE(pids);
    std::string out;
    for (const int pid : *pids) {
      out +=
          on(node, "([ -e /proc/" + std::to_string(pid) + "/maps ] || exit 0\nrange=$(sed -n 's/ .*vdso.$//p' /proc/" +
                       std::to_string(pid) + "/maps)\n" + "dd if=/proc/" + std::to_string(pid) +
                       "/mem bs=4096 skip=$((0x${range%-*} / 4096)) count=$(((0x${range#*-} - 0x${range%-*}) / 4096)) "
                       "2>/dev/null | sha256sum\n"
                       "grep -c ' r-xp ' /proc/" +
                       std::to_string(pid) + "/maps) 2>/dev/null; :");
    }
    return out;
  }
  // The same once it stands still: PostgreSQL has processes that end when whoever asked for the time is gone.
  std::string settled_memory(std::size_t node) {
    std::string before = memory_of_target(node);
    for (int i = 0; i < 25; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      std::string now = memory_of_target(node);
      if (now == before) break;
      before = std::move(now);
    }
    return before;
  }
  std::unique_ptr<Injection> inject(const std::string& kind, const std::map<std::string, std::string>& settings,
                                    const std::string& nodes = "n1") {
    set("clock.nodes", nodes);
    set("clock.kind", kind);
    for (const auto& [key, value] : settings) set("clock." + key, value);
    auto planned = plan("clock", 5, "test-1");
    EXPECT_TRUE(planned);
    const auto prepared = (*planned)->prepare(Deadline::after_s(60));
    EXPECT_TRUE(prepared) << prepared.error().message;
    arm(**planned, "clock", "test-1");
    const auto done = (*planned)->inject(Deadline::after_s(20));
    EXPECT_TRUE(done) << done.error().message;
    return *std::move(planned);
  }
  static void expect(const Result<Observation>& seen, bool confirmed, const std::string& evidence) {
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(seen->confirmed, confirmed) << seen->evidence;
    EXPECT_THAT(seen->evidence, HasSubstr(evidence));
  }
  // Confirmed, and the evidence says by how much the clock is wrong; on a busy machine that is not exact to the
  // millisecond.
  static void expect_offset(const Result<Observation>& seen, bool confirmed, double seconds) {
    expect(seen, confirmed, seconds < 0 ? " s behind its node's clock" : " s ahead of its node's clock");
    const std::size_t at = seen->evidence.find("its clock is ");
    ASSERT_NE(at, std::string::npos) << seen->evidence;
    EXPECT_NEAR(std::atof(seen->evidence.c_str() + at + 13), std::abs(seconds), 0.1) << seen->evidence;
  }
  void heal(Injection& injection) {
    undo(injection, "clock", "test-1");
    expect(injection.confirm_healed(Deadline::after_s(30)), true, "byte for byte the kernel's");
    EXPECT_EQ(remains(), "");
  }
  std::string time_script_;
  double slack_ = 0;
  double asked_ = 0;
};

// A static Go binary, a program of one thread, a forking one, and a JVM, whose many threads ask for the time all the
// while and whose compiled code keeps the address of the clock's function.
class ServerClockTest : public ClockTest, public ::testing::WithParamInterface<Server> {
 protected:
  void SetUp() override {
    ClockTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    serve(GetParam(), {0, 1});
    if (IsSkipped() || HasFatalFailure()) return;
    before_ = settled_memory(0);
  }
  // Healed, to the byte.
  void heal_exactly(Injection& injection) {
    heal(injection);
    EXPECT_EQ(settled_memory(0), before_);
    expect_ahead(0, 0);
  }
  std::string before_;
};

TEST_P(ServerClockTest, IsAnHourAheadByItsOwnWordAndNobodyElseIs) {
  const auto clock = inject("offset", {{"offset", "3600"}});
  EXPECT_THAT(clock->nodes(), ElementsAre("n1"));
  expect_offset(clock->confirm(Deadline::after_s(30)), true, 3600);
  EXPECT_NE(memory_of_target(0), before_);
  expect_ahead(0, 3600);
  expect_ahead(1, 0);
  expect_node_clock_right(0);
  expect_node_clock_right(1);
  const auto measured = clock->measure(Deadline::after_s(30));
  ASSERT_TRUE(measured) << measured.error().message;
  EXPECT_NEAR(measured->find("offset_s")->find("n1")->real(), 3600, 0.1);
  const auto not_yet = testing_support::shortly(1, [&](Deadline limit) { return clock->confirm_healed(limit); });
  expect_offset(not_yet, false, 3600);
  expect(not_yet, false, "its vDSO is not the kernel's");
  heal_exactly(*clock);
}

TEST_P(ServerClockTest, DriftsByATenth) {
  const auto clock = inject("drift", {{"drift", "10"}});
  expect(clock->confirm(Deadline::after_s(30)), true, "gains +");
  const double first = ahead(0);
  const double began = asked_;
  const double first_slack = slack_;
  EXPECT_GT(first + first_slack, 0);
  // For so long that what the clock gains is well above what the two answers may be wrong by.
  double gained = 0;
  double due = 0;
  double slack = first_slack;
  for (int i = 0; i < 40 && due < 2 * (0.05 + slack); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    gained = ahead(0) - first;
    due = 0.1 * (asked_ - began);
    slack = first_slack + slack_;
  }
  EXPECT_NEAR(gained, due, 0.05 + slack);
  EXPECT_GT(gained, 0.05);
  expect_ahead(1, 0);
  heal_exactly(*clock);
}

TEST_P(ServerClockTest, Strobes) {
  const auto clock = inject("strobe", {{"offset", "-100"}, {"period", "200ms"}});
  expect(clock->confirm(Deadline::after_s(30)), true, "2 of 2 offsets were seen");
  bool right = false;
  bool wrong = false;
  for (int i = 0; i < 100 && !(right && wrong); ++i) {
    const double offset = ahead(0);
    right = right || std::abs(offset) < 1;
    wrong = wrong || std::abs(offset + 100) < 1;
    EXPECT_TRUE(std::abs(offset) < 1 || std::abs(offset + 100) < 1) << offset;
    std::this_thread::sleep_for(std::chrono::milliseconds(37));
  }
  EXPECT_TRUE(right && wrong);
  heal_exactly(*clock);
}

INSTANTIATE_TEST_SUITE_P(Clock, ServerClockTest, ::testing::ValuesIn(kServers),
                         [](const auto& one) { return std::string(one.param.name); });

// Whoever asks a process for its time runs code of the agent's in it for a moment. An agent that was killed just then
// left Redis and ZooKeeper with registers that were not theirs, and they ended: seen when looks took too long on a busy
// machine.
TEST_F(ClockTest, RegressALookThatIsKilledHarmsNobody) {
  serve(server("Redis"), {0});
  if (IsSkipped() || HasFatalFailure()) return;
  const auto pids = target_->pids(cluster().at(0));
  ASSERT_TRUE(pids);
  ASSERT_EQ(pids->size(), 1U);
  on(0, "mkdir -p " + fault_folder("test-1"));
  for (int i = 0; i < 5; ++i) {
    const auto killed =
        install_and_run_agent(cluster().at(0), "test-1",
                              {"clock", "read", "1000000", "0", std::to_string(pids->front())}, Deadline::after_s(1));
    ASSERT_FALSE(killed) << "it was to take too long";
    ASSERT_THAT(killed.error().message, HasSubstr("killed"));
    ASSERT_EQ(on(0, "kill -0 " + std::to_string(pids->front()) + " && echo alive; :"), "alive\n") << "round " << i;
  }
  expect_ahead(0, 0);
  on(0, "rm -rf " + fault_folder("test-1"));
}

TEST_F(ClockTest, RedisJumpsAndFreezes) {
  serve(server("Redis"), {0});
  if (IsSkipped() || HasFatalFailure()) return;
  {
    const auto clock = inject("jump", {{"offset", "0"}, {"period", "100ms"}});
    expect(clock->confirm(Deadline::after_s(30)), true, "of 8 offsets were seen");
    heal(*clock);
  }
  {
    const auto clock = inject("freeze", {});
    expect(clock->confirm(Deadline::after_s(30)), true, "its clock moved by 0.0 ms");
    const std::string told = on(0, time_script_);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(on(0, time_script_), told);
    heal(*clock);
  }
  expect_ahead(0, 0);
}

// Each session is a process of its own, forked from the postmaster, and there are others beside it.
TEST_F(ClockTest, PostgresSessionsOldAndNewSeeTheWrongTime) {
  serve(server("Postgres"), {0});
  if (IsSkipped() || HasFatalFailure()) return;
  // A session that is there before, asks while the clock is wrong, and once more when it is right again.
  on(0,
     "cd /; rm -f /tmp/ask /tmp/told; mkfifo /tmp/ask; setsid psql -h /var/lib/clock-pg -U postgres -At </tmp/ask "
     ">/tmp/told 2>&1 & exec 3>/tmp/ask; setsid sleep 30 >/dev/null 2>&1 </dev/null & "
     "echo 'SELECT 1;' >&3; for i in $(seq 200); do [ -s /tmp/told ] && break; sleep 0.05; done");
  const std::string ask_old =
      "before=$(wc -l </tmp/told); echo 'SELECT extract(epoch from now());' >/tmp/ask; "
      "for i in $(seq 100); do [ $(wc -l </tmp/told) -gt $before ] && break; sleep 0.05; done; tail -n 1 /tmp/told";
  const auto clock = inject("offset", {{"offset", "-7200"}});
  const auto seen = clock->confirm(Deadline::after_s(30));
  expect_offset(seen, true, -7200);
  expect(seen, true, "(so are those of");
  expect_ahead(0, -7200);
  EXPECT_NEAR(std::atof(on(0, ask_old).c_str()), wall_clock() - 7200, 5);
  expect_node_clock_right(0);
  heal(*clock);
  expect_ahead(0, 0);
  EXPECT_NEAR(std::atof(on(0, ask_old).c_str()), wall_clock(), 5);
}

TEST_F(ClockTest, ARestartedServerIsCaughtAndAStoppedOneStaysStopped) {
  serve(server("Redis"), {0});
  if (IsSkipped() || HasFatalFailure()) return;
  ASSERT_TRUE(target_->pause(cluster().at(0)));
  const auto clock = inject("offset", {{"offset", "3600"}});
  expect_offset(clock->confirm(Deadline::after_s(30)), true, 3600);
  const std::string state = "sed -n 's/^State:.\\(.\\).*/\\1/p' /proc/$(pgrep -x redis-server)/status";
  EXPECT_EQ(on(0, state), "T\n");
  ASSERT_TRUE(target_->resume(cluster().at(0)));
  expect_ahead(0, 3600);
  ASSERT_TRUE(target_->kill(cluster().at(0)));
  for (int i = 0; i < 100 && !target_->pids(cluster().at(0))->empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ASSERT_TRUE(target_->start(cluster().at(0)));
  ASSERT_TRUE(await_time(0));
  for (int i = 0; i < 50 && std::abs(ahead(0) - 3600) > 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  expect_ahead(0, 3600);
  heal(*clock);
  expect_ahead(0, 0);
}

// What is there when the fault is injected while another one of this kind is in force: it is refused, and undoing the
// second does not touch the first.
TEST_F(ClockTest, TwoAtOnceAreRefusedAndTheOffsetsAreInTheHistory) {
  ASSERT_TRUE(target_->start_all());
  const auto clock = inject("offset", {{"offset", "10"}});
  auto second = plan("clock", 6, "test-2");
  ASSERT_TRUE(second);
  ASSERT_TRUE((*second)->prepare(Deadline::after_s(60)));
  arm(**second, "clock", "test-2");
  const auto refused = (*second)->inject(Deadline::after_s(60));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("changed already, by fault test-1"));
  undo(**second, "clock", "test-2");
  expect_offset(clock->confirm(Deadline::after_s(30)), true, 10);
  heal(*clock);

  options_.declare(nemesis_options());
  set("clock.nodes", "n2,n4");
  DriverOptions options;
  options.seed = 1;
  options.interval_s = 0.3;
  options.duration_s = 4;
  options.ledger_path = ledger_path();
  auto nemesis = make_driver(options, context(), faults_named({"clock"}), missing_needs(cluster()));
  ASSERT_TRUE(nemesis) << nemesis.error().message;
  Events events;
  {
    std::jthread runner([&](const std::stop_token& stop) { (*nemesis)->run(RunPhase::main, stop, events); });
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  }
  EXPECT_EQ((*nemesis)->records().front().error, "");
  const auto steps = events.steps((*nemesis)->records().front().id);
  EXPECT_THAT(steps, ::testing::IsSupersetOf({"injected", "confirmed", "measured", "healed", "recovered"}));
  EXPECT_EQ(remains(), "");
}

// The clock of whole machines: never of the one that the controller is on.
TEST_F(ClockTest, AMachinesClockIsNotTouchedUnlessItIsItsOwnAndAllowed) {
  EXPECT_THAT((*find_fault("host-clock"))->inapplicable(context()), HasSubstr("host-clock.own=true"));
  const auto refused = make_driver(DriverOptions(), context(), faults_named({"host-clock"}), missing_needs(cluster()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  set("host-clock.own", "true");
  EXPECT_EQ((*find_fault("host-clock"))->inapplicable(context()), "");
  auto planned = plan("host-clock", 1, "test-1");
  ASSERT_TRUE(planned);
  const auto done = (*planned)->prepare(Deadline::after_s(60));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::unsupported);
  EXPECT_THAT(done.error().message, HasSubstr("it shares its kernel and clock with the controller"));
}

// Should the agent be told to all the same, the kernel does not let it on a local node; and undoing is then harmless.
TEST_F(ClockTest, TheAgentCannotSetTheClockOfALocalNode) {
  // Looked at first: this test must not be the one that sets the machine's clock. CAP_SYS_TIME is number 25.
  ASSERT_EQ(on(0, "caps=$(sed -n 's/^CapBnd:.//p' /proc/self/status); echo $((0x$caps >> 25 & 1))"), "0\n");
  on(0, arm_script("test-1",
                   undo_script("test-1", "host-clock",
                               agent_undo_script("test-1", {"host-clock", "undo", fault_folder("test-1")})),
                   3600));
  for (const char* drift : {"0", "100000"}) {
    const auto done = install_and_run_agent(cluster().at(0), "test-1",
                                            {"host-clock", "start", fault_folder("test-1"), drift, "0", "0", "1000000"},
                                            Deadline::after_s(60));
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("Operation not permitted"));
    on(0, "rm -f " + fault_folder("test-1") + "/host-clock");
  }
  on(0,
     undo_script("test-1", "host-clock", agent_undo_script("test-1", {"host-clock", "undo", fault_folder("test-1")})));
  EXPECT_EQ(remains(), "");
  expect_node_clock_right(0);
}

}  // namespace
}  // namespace ordeal
