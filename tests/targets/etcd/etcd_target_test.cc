// The database half of target etcd: three members on three loopback addresses of this machine, below a temporary
// directory, controlled through ShellNode.

#include "targets/etcd/etcd_target.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <thread>

#include "support/free_port.h"
#include "targets/etcd/etcd_scripts.h"
#include "tests/targets/shell_node.h"

namespace ordeal {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

Deadline in(int s) { return steady_clock::now() + seconds(s); }

class EtcdTargetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/bin/etcd", X_OK) != 0) GTEST_SKIP() << "there is no /usr/bin/etcd (package etcd-server)";
    std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-target-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    options_ = Options(etcd_target().options);
    set("etcd.dir", directory_);
    set("etcd.sudo", "false");
    set("etcd.client-port", std::to_string(testing::free_port()));
    set("etcd.peer-port", std::to_string(testing::free_port()));
  }
  void TearDown() override {
    target_.reset();
    clean_up_.reset();
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }
  void set(const char* key, const std::string& value) { ASSERT_TRUE(options_.set(key, value, "test")); }
  void make(const std::vector<std::string>& addresses) {
    std::string kill_all;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const std::string name = "n" + std::to_string(i + 1);
      cluster_.nodes.push_back(std::make_unique<testing::ShellNode>(name, addresses[i]));
      kill_all += "(" + etcd_signal_script(etcd_paths(options_, name), "KILL", true, 5) + ")\n";
    }
    clean_up_ = std::make_unique<testing::AtEnd>(kill_all);
    auto made = etcd_target().make(cluster_, options_);
    ASSERT_TRUE(made) << made.error().message;
    target_ = std::move(*made);
  }
  void bring_up() {
    for (auto& node : cluster_.nodes) {
      auto up = target_->installation()
                    ->install(*node)
                    .and_then([&] { return target_->installation()->wipe(*node); })
                    .and_then([&] { return target_->start(*node); });
      ASSERT_TRUE(up) << up.error().message;
    }
    const auto ready = target_->await_ready(in(20));
    ASSERT_TRUE(ready) << ready.error().message;
  }
  std::vector<int> pids(std::size_t node) {
    auto found = target_->processes()->pids(cluster_.at(node));
    EXPECT_TRUE(found);
    return found.value_or(std::vector<int>{});
  }
  static char state(int pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string word;
    stat >> word >> word >> word;
    return word.empty() ? '?' : word[0];
  }
  // A signal is sent before it is obeyed: a thread in the middle of a system call stops a moment later.
  static bool becomes(int pid, bool stopped) {
    const auto patience = in(5);
    while ((state(pid) == 'T') != stopped) {
      if (steady_clock::now() > patience) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  Completion run(std::size_t node, const char* f, Value value = {}) {
    auto client = target_->client(node);
    return (*client)->invoke({f, Value("k"), std::move(value)}, in(5));
  }

  std::string directory_;
  Options options_;
  Cluster cluster_;
  std::unique_ptr<testing::AtEnd> clean_up_;
  std::unique_ptr<Target> target_;
};

TEST_F(EtcdTargetTest, TheLifeOfACluster) {
  make({"127.0.0.2", "127.0.0.3", "127.0.0.4"});
  bring_up();
  ASSERT_EQ(run(0, "write", 7).type, EventType::ok);
  EXPECT_EQ(run(2, "read").value, Value(7));

  const auto primaries = target_->roles()->primaries(in(3));
  ASSERT_TRUE(primaries);
  ASSERT_EQ(primaries->size(), 1u);
  const std::size_t leader = primaries->front();

  // Starting what runs changes nothing.
  const auto before = pids(leader);
  ASSERT_EQ(before.size(), 1u);
  ASSERT_TRUE(target_->start(cluster_.at(leader)));
  EXPECT_EQ(pids(leader), before);

  // Pause: all threads stopped, nobody else touched; another leader follows.
  ASSERT_TRUE(target_->processes()->pause(cluster_.at(leader)));
  EXPECT_TRUE(becomes(before[0], true));
  const auto patience = in(10);
  std::vector<std::size_t> successor;
  while (successor.empty() && steady_clock::now() < patience) {
    successor = target_->roles()->primaries(in(2)).value_or(std::vector<std::size_t>{});
  }
  ASSERT_FALSE(successor.empty());
  EXPECT_NE(successor.front(), leader);
  ASSERT_TRUE(target_->processes()->resume(cluster_.at(leader)));
  EXPECT_TRUE(becomes(before[0], false));

  // Kill: gone when the call returns; the data survives the restart.
  ASSERT_TRUE(target_->processes()->kill(cluster_.at(leader)));
  EXPECT_TRUE(pids(leader).empty());
  EXPECT_FALSE(target_->await_ready(in(1)));
  ASSERT_TRUE(target_->start(cluster_.at(leader)));
  ASSERT_TRUE(target_->await_ready(in(20)));
  EXPECT_NE(pids(leader), before);
  EXPECT_EQ(run(leader, "read").value, Value(7));

  // A stopped process is ended gracefully all the same.
  ASSERT_TRUE(target_->processes()->pause(cluster_.at(0)));
  ASSERT_TRUE(target_->stop(cluster_.at(0)));
  EXPECT_TRUE(pids(0).empty());

  for (auto& node : cluster_.nodes) ASSERT_TRUE(target_->installation()->wipe(*node));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(pids(i).empty());
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/n1/data"));
}

TEST_F(EtcdTargetTest, DescribesItselfAndKeepsItsLog) {
  make({"127.0.0.2"});
  bring_up();
  const auto description = target_->installation()->describe(cluster_.at(0));
  ASSERT_TRUE(description);
  EXPECT_NE(description->find("etcdserver"), nullptr);
  EXPECT_NE(description->to_json().find("--snapshot-count=100"), std::string::npos);
  const auto logs = log_files(*target_, cluster_.at(0));
  ASSERT_EQ(logs.size(), 1u);
  EXPECT_GT(std::filesystem::file_size(logs[0]), 0u);
}

TEST_F(EtcdTargetTest, Ipv6) {
  make({"::1"});
  bring_up();
  EXPECT_EQ(run(0, "write", 1).type, EventType::ok);
  EXPECT_EQ(run(0, "read").value, Value(1));
}

TEST_F(EtcdTargetTest, UploadsABinaryOrAnArchive) {
  const std::string archive = directory_ + "/release.tar.gz";
  const std::string pack = "cd " + directory_ +
                           " && mkdir etcd-v3 && cp /usr/bin/etcd etcd-v3/ && echo x >etcd-v3/etcdctl && "
                           "tar -cf - etcd-v3 | gzip -1 >release.tar.gz";
  ASSERT_EQ(system(pack.c_str()), 0);
  set("etcd.archive", archive);
  make({"127.0.0.2"});
  bring_up();
  EXPECT_EQ(run(0, "write", 1).type, EventType::ok);
  ASSERT_EQ(pids(0).size(), 1u);
  EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(pids(0)[0]) + "/exe"), directory_ + "/n1/bin/etcd");
  set("etcd.binary", archive);
  EXPECT_EQ(target_->installation()->install(cluster_.at(0)).error().code, ErrorCode::usage);
  set("etcd.archive", "");
  const auto no_program = target_->installation()->install(cluster_.at(0));
  ASSERT_FALSE(no_program);
  EXPECT_NE(no_program.error().message.find("does not run"), std::string::npos) << no_program.error().message;
}

// The program took the way over a name in /tmp that anybody on the node could have made before: a link of theirs was
// written through, and a file of theirs was theirs to change before root ran it.
TEST_F(EtcdTargetTest, RegressAProgramIsUploadedWhereNobodyElseWrites) {
  make({"127.0.0.2"});
  const std::string trap = "/tmp/ordeal-etcd-n1";
  const std::string victim = directory_ + "/victim";
  std::ofstream(victim) << "mine";
  std::filesystem::remove(trap);
  std::filesystem::create_symlink(victim, trap);
  set("etcd.binary", "/usr/bin/etcd");
  const auto done = target_->installation()->install(cluster_.at(0));
  std::filesystem::remove(trap);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(std::filesystem::file_size(victim), 4u);
}

TEST_F(EtcdTargetTest, SaysWhyItDoesNotStart) {
  set("etcd.flags", "--no-such-flag");
  make({"127.0.0.2"});
  ASSERT_TRUE(target_->installation()->install(cluster_.at(0)));
  // On a busy machine it may live long enough to count as started; then await_ready says why it has ended.
  const auto started = target_->start(cluster_.at(0));
  if (!started) {
    EXPECT_NE(started.error().message.find("no-such-flag"), std::string::npos) << started.error().message;
  }
  // Nor is the deadline waited for.
  const auto before = steady_clock::now();
  const auto ready = target_->await_ready(in(60));
  ASSERT_FALSE(ready);
  EXPECT_LT(steady_clock::now() - before, seconds(30));
  EXPECT_NE(ready.error().message.find("n1"), std::string::npos);
  EXPECT_NE(ready.error().message.find("no-such-flag"), std::string::npos) << ready.error().message;
}

TEST_F(EtcdTargetTest, ChecksItsOptions) {
  make({"127.0.0.2"});
  set("etcd.election-ms", "100");
  EXPECT_EQ(etcd_target().make(cluster_, options_).error().code, ErrorCode::usage);
  set("etcd.election-ms", "1000");
  set("etcd.binary", directory_ + "/nothing");
  const auto made = etcd_target().make(cluster_, options_);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("etcd.binary"), std::string::npos);
}

TEST(EtcdOptions, SlowTransactionsNeedTransactions) {
  const auto factory = etcd_target();
  Options options(factory.options);
  EXPECT_TRUE(factory.check_options(options, "register"));
  ASSERT_TRUE(options.set("txn.slow-share", "0.1", "test"));
  EXPECT_TRUE(factory.check_options(options, "list-append"));
  EXPECT_TRUE(factory.check_options(options, "rw-register"));
  const auto refused = factory.check_options(options, "register");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  EXPECT_NE(refused.error().message.find("data type register"), std::string::npos) << refused.error().message;
}

TEST(EtcdLogPattern, MatchesTheEndsOfEtcdOnly) {
  Cluster cluster;
  cluster.nodes.push_back(std::make_unique<testing::ShellNode>("n1", "127.0.0.2"));
  const Options options(etcd_target().options);
  const auto target = etcd_target().make(cluster, options);
  ASSERT_TRUE(target);
  const std::regex pattern(log_pattern(**target), std::regex::extended);
  EXPECT_TRUE(std::regex_search(R"({"level":"fatal","ts":1,"msg":"failed to open WAL"})", pattern));
  EXPECT_TRUE(std::regex_search("panic: runtime error: index out of range", pattern));
  EXPECT_TRUE(std::regex_search("fatal error: concurrent map writes", pattern));
  EXPECT_FALSE(std::regex_search(R"({"level":"warn","msg":"no fatal error: panic: averted"})", pattern));
}

}  // namespace
}  // namespace ordeal
