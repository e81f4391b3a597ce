// The database half by shell commands, on this machine as its nodes: what is told of a server that does not come up, in
// which order nodes are started, members that come and go, versions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/runner/lifecycle.h"
#include "targets/catalogue.h"
#include "tests/targets/shell_node.h"

namespace ordeal {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class ShellDatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = (std::filesystem::temp_directory_path() / "ordeal-shell-XXXXXX").string();
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    options_ = Options((*find_target("process"))->options);
    set("process.command", "true");
    set("process.operations", "read");
    set("process.database", "commands");
    set("process.sudo", "false");
    set("process.start", "true");
  }
  void TearDown() override {
    // Whatever a test has started carries the name of its directory.
    (void)testing::ShellNode("n1", "").run("for p in $(grep -lzs '" + directory_ +
                                           "' /proc/[0-9]*/cmdline | cut -d/ -f3); do [ $p = $$ ] || kill -9 $p; done");
    std::error_code ignored;  // what ends may still write there
    std::filesystem::remove_all(directory_, ignored);
  }
  void set(const char* key, const std::string& value) {
    const auto done = options_.set(key, value, "test");
    ASSERT_TRUE(done) << done.error().message;
  }
  Target& make(std::size_t nodes = 1) {
    for (std::size_t i = 1; i <= nodes; ++i)
      cluster_.nodes.push_back(
          std::make_unique<testing::ShellNode>("n" + std::to_string(i), "127.0.0." + std::to_string(i + 1)));
    auto made = (*find_target("process"))->make(cluster_, options_);
    EXPECT_TRUE(made) << made.error().message;
    target_ = *std::move(made);
    return *target_;
  }
  // A program in the background that runs until it is killed, with the directory and `name` on its command line: it
  // reads from a pipe into which nobody writes, and starts nothing that would outlive it.
  std::string server(const std::string& name) {
    const std::string pipe = directory_ + "/pipe";
    return "mkfifo " + pipe + " 2>/dev/null; setsid /bin/sh -c 'read -r line <>" + pipe + "; : " + directory_ + " " +
           name + "' </dev/null >/dev/null 2>&1 & ";
  }
  std::string file(const std::string& name) { return directory_ + "/" + name; }
  std::string contents(const std::string& name) {
    std::ifstream in(file(name));
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(file(name)) << text; }
  Node& node(std::size_t i) { return cluster_.at(i); }
  static Deadline in(int s) { return Deadline::after(seconds(s)); }

  std::string directory_;
  Options options_;
  Cluster cluster_;
  std::unique_ptr<Target> target_;
};

using RegressShellDatabaseTest = ShellDatabaseTest;

// A server whose port was taken was waited for through the whole minute, and nothing said why.
TEST_F(RegressShellDatabaseTest, AServerThatEndsAtOnceIsToldWithItsLog) {
  set("process.start", "echo 'bind: address already in use' >>" + file("log"));
  set("process.pids", "true");
  set("process.ready", "echo 'connection refused' >&2; false");
  set("process.logs", file("none") + " " + file("log"));
  Target& target = make(2);
  ASSERT_TRUE(target.installation()->wipe(node(0)));
  ASSERT_TRUE(target.start(node(0)));
  // The test would have to wait for this deadline if the end were not seen.
  const auto ready = target.await_ready(in(500));
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().message, HasSubstr(": the system has ended right after its start")) << "n1 or n2";
  EXPECT_THAT(ready.error().message, HasSubstr(file("log") + " ends with \"bind: address already in use\""));
  EXPECT_THAT(ready.error().message, HasSubstr("connection refused"));
}

TEST_F(ShellDatabaseTest, ThatAServerHasEndedIsToldWithoutAReadyCommand) {
  set("process.start", "(sleep 0.3; : " + directory_ + ") </dev/null >/dev/null 2>&1 & echo $! >" + file("pid"));
  set("process.pids", "p=$(cat " + file("pid") + ") && kill -0 $p 2>/dev/null && echo $p");
  Target& target = make();
  ASSERT_TRUE(target.start(node(0)));
  const auto ready = target.await_ready(in(500));
  // On a slow machine nobody may have seen it alive, and then nothing is claimed.
  if (ready) return;
  EXPECT_THAT(ready.error().message, HasSubstr("has ended right after its start"));
}

// Who starts it again (a supervisor with a pause) is waited for once it has served.
TEST_F(ShellDatabaseTest, AServerThatHasServedIsWaitedFor) {
  write("up", "");
  set("process.pids", "true");
  set("process.ready", "test -f " + file("up"));
  Target& target = make();
  ASSERT_TRUE(target.await_ready(in(50)));
  std::filesystem::remove(file("up"));
  set("process.pids", "true");
  const auto late = target.await_node(node(0), in(3));
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().message, Not(HasSubstr("has ended right after its start")));
  EXPECT_THAT(late.error().message, HasSubstr("is not ready after"));
}

// Only that the last attempt was cut off was told, which says nothing.
TEST_F(RegressShellDatabaseTest, TheErrorOfReadyIsTheLastThatItSaidItself) {
  set("process.ready", "[ -f " + file("asked") + " ] && exec sleep 300\ntouch " + file("asked") +
                           "\necho 'shard 3 has no leader' >&2\nexit 4");
  Target& target = make();
  const auto ready = target.await_ready(in(4));
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().message, HasSubstr("exit code 4: shard 3 has no leader"));
  EXPECT_THAT(ready.error().message, HasSubstr("n1 is not ready after"));
  EXPECT_THAT(ready.error().message, HasSubstr("with process.pids a server that has ended is told at once"));
}

// `pgrep -f` finds the shell that runs it, so that a system never seemed to have ended.
TEST_F(RegressShellDatabaseTest, TheShellThatRunsPidsIsNoneOfThem) {
  set("process.pids", "pgrep -f " + directory_ + ".nothing");
  Target& target = make();
  auto found = target.processes()->pids(node(0));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->empty());
  target_.reset();
  cluster_.nodes.clear();
  set("process.start", server("here"));
  set("process.pids", "pgrep -f '" + directory_ + " here'");
  Target& again = make();
  ASSERT_TRUE(again.start(node(0)));
  found = again.processes()->pids(node(0));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->size(), 1u);
  ASSERT_TRUE(again.processes()->kill(node(0)));
  EXPECT_TRUE(again.processes()->pids(node(0))->empty());
}

TEST_F(ShellDatabaseTest, ACommandThatKillsItsOwnShellIsExplained) {
  set("process.kill", "pkill -9 -f '" + directory_ + ".some'");
  Target& target = make();
  set("process.pids", "true");
  const auto killed = target.installation()->wipe(node(0));
  ASSERT_FALSE(killed);
  EXPECT_THAT(killed.error().message, HasSubstr("'[m]ystore'"));
}

TEST_F(ShellDatabaseTest, SetupIsDoneOnceWhenAllServe) {
  set("process.setup", "echo $NODE >>" + file("setup"));
  Target& target = make(3);
  RunLog log;
  BringUp how;
  ASSERT_TRUE(bring_up(target, cluster_, how, log));
  EXPECT_EQ(contents("setup"), "n1\n");
}

TEST_F(ShellDatabaseTest, SetupOfServersThatDoNotListenYetIsTriedAgain) {
  set("process.setup-when", "started");
  set("process.setup",
      "echo x >>" + file("tries") + "; [ $(wc -l <" + file("tries") + ") -ge 3 ] && touch " + file("cluster"));
  set("process.ready", "test -f " + file("cluster"));
  Target& target = make(2);
  RunLog log;
  BringUp how;
  const auto up = bring_up(target, cluster_, how, log);
  ASSERT_TRUE(up) << up.error().message;
  EXPECT_EQ(contents("tries"), "x\nx\nx\n");
}

TEST_F(ShellDatabaseTest, SetupThatFailsSaysSo) {
  set("process.setup", "echo 'no such table space' >&2; exit 3");
  Target& target = make(2);
  RunLog log;
  const auto up = bring_up(target, cluster_, {}, log);
  ASSERT_FALSE(up);
  EXPECT_THAT(up.error().message, HasSubstr("process.setup: n1: exit code 3: no such table space"));
}

TEST_F(ShellDatabaseTest, NodesAreStartedInTheOrderThatIsAskedFor) {
  set("process.start-order", "each-ready");
  set("process.start", "echo start $NODE >>" + file("order"));
  set("process.ready", "echo ready $NODE >>" + file("order"));
  Target& target = make(3);
  RunLog log;
  ASSERT_TRUE(bring_up(target, cluster_, {}, log));
  EXPECT_THAT(contents("order"), HasSubstr("start n1\nready n1\nstart n2\nready n2\nstart n3\nready n3\n"));
}

TEST_F(ShellDatabaseTest, ANodeThatDoesNotStartEndsAStartInOrder) {
  set("process.start-order", "in-order");
  set("process.start", "echo $NODE >>" + file("order") + "; [ $NODE != n2 ]");
  Target& target = make(3);
  RunLog log;
  const auto up = bring_up(target, cluster_, {}, log);
  ASSERT_FALSE(up);
  EXPECT_THAT(up.error().message, HasSubstr("process.start: n2: exit code 1, and it wrote nothing"));
  EXPECT_EQ(contents("order"), "n1\nn2\n");
}

// The members of a make-believe cluster are lines of a file: "ID NODE STATE".
class ShellMembersTest : public ShellDatabaseTest {
 protected:
  void SetUp() override {
    ShellDatabaseTest::SetUp();
    write("members", "1 127.0.0.2:99\n2 n2 joined\n3 127.0.0.4 joined\n");
    write("next", "9");
    set("process.members", "cat " + file("members"));
    set("process.leave", "echo $NODE left, by $PEER $PEER_ADDRESS >>" + file("log") +
                             "; sed -i -E \"/ ($NODE|$NODE_ADDRESS)( |:|\\$)/d\" " + file("members"));
    set("process.join", "echo \"$(cat " + file("next") + ") $NODE announced\" >>" + file("members"));
    set("process.wipe", "echo $NODE wiped >>" + file("log"));
    set("process.start", "echo $NODE starts, joins=$JOINS >>" + file("log") +
                             "; sed -i \"s/ $NODE announced/ $NODE joined/\" " + file("members"));
  }
};

TEST_F(ShellMembersTest, LeaveAndComeBack) {
  Target& target = make(3);
  auto* members = target.membership();
  ASSERT_NE(members, nullptr);
  auto list = members->members(node(1), in(20));
  ASSERT_TRUE(list) << list.error().message;
  using Member = Target::Membership::Member;
  EXPECT_THAT(*list, UnorderedElementsAre(Member{"1", "n1", true}, Member{"2", "n2", true}, Member{"3", "n3", true}));
  auto gone = members->remove(node(0), in(20));
  ASSERT_TRUE(gone) << gone.error().message;
  ASSERT_TRUE(members->remove(node(0), in(20))) << "it is out already";
  EXPECT_EQ(contents("log"), "n1 left, by n2 127.0.0.3\nn1 wiped\n");
  const auto refused = target.start(node(0));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("not a member"));
  ASSERT_TRUE(members->add(node(0), in(20)));
  ASSERT_TRUE(members->add(node(0), in(20))) << "it is a member already";
  EXPECT_THAT(*members->members(node(2), in(20)), ::testing::Contains(Member{"9", "n1", false}));
  ASSERT_TRUE(target.start(node(0)));
  EXPECT_THAT(contents("log"), HasSubstr("n1 starts, joins=yes\n"));
  EXPECT_THAT(*members->members(node(2), in(20)), ::testing::Contains(Member{"9", "n1", true}));
  ASSERT_TRUE(target.start(node(1)));
  EXPECT_THAT(contents("log"), HasSubstr("n2 starts, joins=\n"));
}

// A member without an id of its own has, when it comes back, another one than before all the same.
TEST_F(ShellMembersTest, WithoutIdsAbsencesAreCounted) {
  write("members", "- n1\n- n2\n- n3\n");
  write("next", "-");
  Target& target = make(3);
  auto* members = target.membership();
  const auto id = [&] {
    const auto list = members->members(node(2), in(20));
    for (const auto& one : *list) {
      if (one.node == "n1") return one.id;
    }
    return std::string();
  };
  const std::string before = id();
  EXPECT_NE(before, "");
  ASSERT_TRUE(members->remove(node(0), in(20)));
  EXPECT_EQ(id(), "");
  ASSERT_TRUE(members->add(node(0), in(20)));
  EXPECT_NE(id(), before);
}

TEST_F(ShellMembersTest, WhatIsNoListOfMembersIsToldWithWhatWasMeant) {
  Target& target = make(3);
  const auto problem = [&](const std::string& text) {
    write("members", text);
    const auto list = target.membership()->members(node(0), in(20));
    return list ? std::string("fine") : list.error().message;
  };
  EXPECT_THAT(problem("1 n1 anounced\n"), HasSubstr("did you mean \"announced\"?"));
  EXPECT_THAT(problem("1\n"), HasSubstr("names no node"));
  EXPECT_THAT(problem("1 n1 joined now\n"), HasSubstr("more than three words"));
  EXPECT_EQ(problem("\n1 n1\n4 10.9.9.9:1 joined\n"), "fine");
}

// A leave that only says that it has succeeded is not believed.
TEST_F(ShellMembersTest, WhatIsStillListedHasNotLeft) {
  set("process.leave", "true");
  Target& target = make(3);
  const auto gone = target.membership()->remove(node(0), in(2));
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().message, HasSubstr("n1 is still a member yet: process.leave has succeeded, and n"));
  EXPECT_EQ(contents("log").find("wiped"), std::string::npos);
}

// Without a controller the node asks to be let in again by itself, at any moment of a change.
TEST_F(ShellMembersTest, ANodeGetsInAgainByItself) {
  set("process.sudo", "true");  // the test's user stands in for root
  Target& target = make(3);
  const std::string script = target.membership()->rejoin_script(node(0));
  ASSERT_NE(script, "");
  const auto run = [&] {
    Command command(script);
    return node(0).run(command)->exit_code;
  };
  write("members", "2 n2 joined\n3 n3 joined\n");  // it has left, and its data may still be there
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(contents("log"), "n1 wiped\nn1 starts, joins=yes\n");
  EXPECT_THAT(contents("members"), HasSubstr("9 n1 joined"));
  EXPECT_EQ(run(), 0);  // a member: it is only started, which may be done while it runs
  EXPECT_EQ(contents("log"), "n1 wiped\nn1 starts, joins=yes\nn1 starts, joins=yes\n");
  write("members", "");
  EXPECT_NE(run(), 0) << "nobody answers, and it cannot have got in";
}

TEST_F(ShellMembersTest, HalfOfTheCommandsAreNoMembership) {
  set("process.join", "");
  for (int i = 1; i < 4; ++i) cluster_.nodes.push_back(std::make_unique<testing::ShellNode>("n", "127.0.0.2"));
  const auto made = (*find_target("process"))->make(cluster_, options_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::usage);
  EXPECT_THAT(made.error().message, HasSubstr("process.members and process.leave needs process.join"));
}

TEST_F(ShellDatabaseTest, WhichVersionRunsIsSeenInItsEnvironment) {
  set("process.start", server("v1"));
  set("process.upgrade-start", server("v2"));
  set("process.pids", "pgrep -f 'pipe; : " + directory_ + "'");
  Target& target = make();
  auto* versions = target.versions();
  using Version = Target::Versions::Version;
  EXPECT_EQ(versions->problem(), "");
  EXPECT_EQ(versions->running(node(0), in(20))->version, std::nullopt);
  ASSERT_TRUE(target.start(node(0)));
  auto now = versions->running(node(0), in(20));
  ASSERT_TRUE(now) << now.error().message;
  EXPECT_EQ(now->version, Version::first) << now->evidence;
  versions->choose(node(0), Version::second);
  EXPECT_EQ(versions->running(node(0), in(20))->version, Version::first) << "what runs was started before";
  ASSERT_TRUE(target.processes()->kill(node(0)));
  ASSERT_TRUE(target.start(node(0)));
  now = versions->running(node(0), in(20));
  EXPECT_EQ(now->version, Version::second) << now->evidence;
}

TEST_F(ShellDatabaseTest, WithoutASecondStartThereIsNoUpgrade) {
  EXPECT_THAT(make().versions()->problem(), HasSubstr("process.upgrade-start"));
}

TEST_F(ShellDatabaseTest, CommandsOfADatabaseThatIsNotOursAreRefused) {
  set("process.start", "");
  set("process.database", "none");
  set("process.setup", "true");
  const auto made = (*find_target("process"))->make(cluster_, options_);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("process.setup is used with process.database=commands only"));
}

}  // namespace
}  // namespace ordeal
