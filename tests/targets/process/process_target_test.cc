// Target process as a whole: the example adapter on a real etcd, a borrowed database half, and shell commands.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/free_port.h"
#include "targets/catalogue.h"
#include "targets/process/words.h"
#include "tests/targets/etcd/local_etcd.h"
#include "tests/targets/shell_node.h"

namespace ordeal {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

Deadline in(int s) { return steady_clock::now() + seconds(s); }

class ProcessTargetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(find_executable("python3")) << "scripts/install-packages.sh test brings it";
    factory_ = *find_target("process");
    options_ = Options(factory_->options);
    set("process.command", "python3 '" EXAMPLE_ADAPTER "'");
  }
  void set(const char* key, const std::string& value) {
    const auto done = options_.set(key, value, "test");
    ASSERT_TRUE(done) << done.error().message;
  }
  const TargetFactory* factory_ = nullptr;
  Options options_;
  Cluster cluster_;
};

TEST_F(ProcessTargetTest, TheExampleDrivesEtcd) {
  testing::LocalEtcd etcd(1);
  if (!etcd.ok()) GTEST_SKIP() << etcd.why();
  set("process.endpoints", etcd.endpoint(0).substr(std::string("http://").size()));
  EXPECT_FALSE(factory_->needs_nodes(options_));
  EXPECT_EQ(factory_->operations_with(options_).value(), (std::vector<std::string>{"read", "write", "cas", "add"}));
  auto target = factory_->make(cluster_, options_);
  ASSERT_TRUE(target) << target.error().message;
  (*target)->client_setup()->use("register");
  auto client = (*target)->client(0);
  ASSERT_TRUE(client);
  const auto opened = (*client)->open(in(10));
  ASSERT_TRUE(opened) << opened.error().message;
  const auto run = [&](const char* f, std::optional<Value> key, Value value, int s = 5) {
    return (*client)->invoke({f, std::move(key), std::move(value)}, in(s));
  };
  EXPECT_EQ(run("read", "k", {}).value, Value());
  EXPECT_EQ(run("cas", "k", Value::list({Value(), 1})).type, EventType::ok);
  EXPECT_EQ(run("write", "k", 3).type, EventType::ok);
  EXPECT_EQ(run("cas", "k", Value::list({3, 4})).type, EventType::ok);
  EXPECT_EQ(run("cas", "k", Value::list({3, 5})).error->kind, "precondition");
  EXPECT_EQ(run("read", "k", {}).value, Value(4));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run("add", std::nullopt, i).type, EventType::ok);
  EXPECT_EQ(run("read", std::nullopt, {}).value, Value::list({0, 1, 2}));
  EXPECT_EQ(run("dequeue", std::nullopt, {}).error->kind, "unsupported");
  // A paused server: a write is unknown and a read has failed, at the adapter's own time-out.
  etcd.signal(0, SIGSTOP);
  EXPECT_EQ(run("read", "k", {}, 1).type, EventType::fail);
  EXPECT_EQ(run("write", "k", 9, 1).type, EventType::info);
  etcd.kill(0);
  const Completion refused = run("write", "k", 9, 1);
  EXPECT_EQ(refused.type, EventType::fail);
  EXPECT_EQ(refused.error->kind, "connect");
  (*client)->close();
}

TEST_F(ProcessTargetTest, BorrowsTheDatabaseHalfOfEtcd) {
  if (access("/usr/bin/etcd", X_OK) != 0) GTEST_SKIP() << "there is no /usr/bin/etcd (package etcd-server)";
  std::string directory = (std::filesystem::temp_directory_path() / "ordeal-process-XXXXXX").string();
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string port = std::to_string(testing::free_port());
  set("process.database", "etcd");
  set("process.command", "python3 " EXAMPLE_ADAPTER " --port " + port);
  set("etcd.dir", directory);
  set("etcd.sudo", "false");
  set("etcd.client-port", port);
  set("etcd.peer-port", std::to_string(testing::free_port()));
  EXPECT_TRUE(factory_->needs_nodes(options_));
  cluster_.nodes.push_back(std::make_unique<testing::ShellNode>("n1", "127.0.0.2"));
  auto made = factory_->make(cluster_, options_);
  ASSERT_TRUE(made) << made.error().message;
  Target& target = **made;
  Node& node = cluster_.at(0);
  const testing::AtEnd clean_up("for p in $(grep -lzsxF -e--data-dir=" + directory +
                                "/n1/data /proc/[0-9]*/cmdline | cut -d/ -f3); do kill -9 $p; done; rm -rf " +
                                directory);
  ASSERT_TRUE(target.installation()->install(node));
  ASSERT_TRUE(target.installation()->wipe(node));
  ASSERT_TRUE(target.start(node));
  const auto ready = target.await_ready(in(20));
  ASSERT_TRUE(ready) << ready.error().message;
  ASSERT_NE(target.processes(), nullptr);
  ASSERT_NE(target.roles(), nullptr);
  EXPECT_NE(target.membership(), nullptr);
  EXPECT_NE(target.versions(), nullptr);
  EXPECT_EQ(data_directories(target, node).size(), 1u);
  EXPECT_TRUE(target.await_node(node, in(5)));
  EXPECT_EQ(target.processes()->pids(node)->size(), 1u);
  auto client = target.client(0);
  ASSERT_TRUE((*client)->open(in(10)));
  EXPECT_EQ((*client)->invoke({"write", Value("k"), 1}, in(5)).type, EventType::ok);
  EXPECT_EQ((*client)->invoke({"read", Value("k"), {}}, in(5)).value, Value(1));
  (*client)->close();
  EXPECT_TRUE(target.installation()->wipe(node));
}

TEST_F(ProcessTargetTest, ADatabaseOfShellCommands) {
  std::string directory = (std::filesystem::temp_directory_path() / "ordeal-commands-XXXXXX").string();
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string pids =
      "cat " + directory + "/pid 2>/dev/null | while read p; do kill -0 $p 2>/dev/null && echo $p; done";
  set("process.database", "commands");
  set("process.sudo", "false");
  set("process.install", "echo $NODE $NODE_ADDRESS $NODE_INDEX \"$NODES\" >" + directory + "/installed");
  set("process.start", "setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $! >" + directory + "/pid");
  set("process.pids", pids);
  set("process.ready", "test -f " + directory + "/pid");
  set("process.wipe", "rm -f " + directory + "/pid");
  set("process.primary", "test $NODE = n1");
  set("process.logs", "/var/log/a.log /var/log/b.log");
  cluster_.nodes.push_back(std::make_unique<testing::ShellNode>("n1", "127.0.0.2"));
  auto made = factory_->make(cluster_, options_);
  ASSERT_TRUE(made) << made.error().message;
  Target& target = **made;
  Node& node = cluster_.at(0);
  const testing::AtEnd clean_up("kill -9 $(" + pids + ") 2>/dev/null; rm -rf " + directory);
  ASSERT_TRUE(target.installation()->install(node));
  std::ifstream installed(directory + "/installed");
  std::string line;
  std::getline(installed, line);
  EXPECT_EQ(line, "n1 127.0.0.2 0 n1");
  const auto early = target.await_ready(in(1));
  ASSERT_FALSE(early);
  EXPECT_NE(early.error().message.find("n1"), std::string::npos);
  ASSERT_TRUE(target.start(node));
  ASSERT_TRUE(target.await_ready(in(5)));
  ASSERT_EQ(target.processes()->pids(node)->size(), 1u);
  EXPECT_TRUE(target.processes()->pause(node));
  EXPECT_TRUE(target.processes()->resume(node));
  EXPECT_EQ(target.roles()->primaries(in(5)).value(), std::vector<std::size_t>{0});
  EXPECT_EQ(log_files(target, node).size(), 2u);
  EXPECT_TRUE(target.installation()->wipe(node));
  EXPECT_TRUE(target.processes()->pids(node)->empty());
}

// A roll waits for the node that it has just started, while others may be down.
TEST_F(ProcessTargetTest, CommandsWaitForOneNodeWhateverTheOthersDo) {
  set("process.database", "commands");
  set("process.sudo", "false");
  set("process.start", "true");
  set("process.ready", "test $NODE = n1");
  for (const char* name : {"n1", "n2"})
    cluster_.nodes.push_back(std::make_unique<testing::ShellNode>(name, "127.0.0.2"));
  auto made = factory_->make(cluster_, options_);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE((*made)->await_node(cluster_.at(0), in(5)));
  EXPECT_FALSE((*made)->await_node(cluster_.at(1), in(1)));
  EXPECT_FALSE((*made)->await_ready(in(1)));
}

TEST_F(ProcessTargetTest, WithoutADatabaseThereIsNothingOnNodesToActOn) {
  auto made = factory_->make(cluster_, options_);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ((*made)->name(), "process");
  EXPECT_EQ((*made)->installation(), nullptr);
  EXPECT_EQ((*made)->processes(), nullptr);
  EXPECT_EQ((*made)->files(), nullptr);
}

TEST_F(ProcessTargetTest, WrongOptionsAreUsageErrors) {
  const auto refused = [&](const char* key, const std::string& value) {
    Options options = options_;
    EXPECT_TRUE(options.set(key, value, "test"));
    const auto made = factory_->make(cluster_, options);
    EXPECT_FALSE(made);
    if (made) return std::string();
    EXPECT_EQ(made.error().code, ErrorCode::usage);
    return made.error().message;
  };
  EXPECT_NE(refused("process.command", "").find("process.command"), std::string::npos);
  EXPECT_NE(refused("process.command", "no-such-adapter-program").find("no-such-adapter-program"), std::string::npos);
  EXPECT_NE(refused("process.database", "commands").find("process.start"), std::string::npos);
  EXPECT_NE(refused("process.start", "true").find("process.database=commands"), std::string::npos);
  EXPECT_FALSE(options_.set("process.database", "oracle", "test"));
}

}  // namespace
}  // namespace ordeal
