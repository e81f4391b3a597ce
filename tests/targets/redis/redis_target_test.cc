// Target redis on a real server of this machine, below a temporary directory, controlled through ShellNode.

#include "targets/redis/redis_target.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "support/free_port.h"
#include "tests/targets/shell_node.h"

namespace ordeal {
namespace {

Deadline in(int s) { return std::chrono::steady_clock::now() + std::chrono::seconds(s); }

class RedisTargetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/bin/redis-server", X_OK) != 0)
      GTEST_SKIP() << "there is no /usr/bin/redis-server (package redis-server)";
    std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-redis-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    options_ = Options(redis_target().options);
    set("redis.dir", directory_);
    set("redis.sudo", "false");
    set("redis.port", std::to_string(testing::free_port()));
    clean_up_ = std::make_unique<testing::AtEnd>(
        "for c in $(grep -lsx redis-server /proc/[0-9]*/comm); do p=${c#/proc/}; p=${p%/comm}; "
        "case $(readlink /proc/$p/cwd) in " +
        directory_ + "*) kill -KILL $p;; esac; done");
    cluster_.nodes.push_back(std::make_unique<testing::ShellNode>("n1", "127.0.0.1"));
    auto made = redis_target().make(cluster_, options_);
    ASSERT_TRUE(made) << made.error().message;
    target_ = std::move(*made);
  }
  void TearDown() override {
    target_.reset();
    clean_up_.reset();
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }
  void set(const char* key, const std::string& value) { ASSERT_TRUE(options_.set(key, value, "test")); }
  void start() {
    const auto started = target_->start(node());
    ASSERT_TRUE(started) << started.error().message;
    const auto ready = target_->await_ready(in(10));
    ASSERT_TRUE(ready) << ready.error().message;
  }
  Node& node() { return cluster_.at(0); }
  std::unique_ptr<Client> client() {
    auto made = target_->client(0);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  static Value pair(const Value& a, const Value& b) {
    Value out = Value::list();
    out.items().push_back(a);
    out.items().push_back(b);
    return out;
  }

  std::string directory_;
  Options options_;
  Cluster cluster_;
  std::unique_ptr<testing::AtEnd> clean_up_;
  std::unique_ptr<Target> target_;
};

TEST_F(RedisTargetTest, DoesItsOperations) {
  start();
  const auto one = client();
  const Value key("k");
  const auto kind = [&](const char* f, const Value& value) { return one->invoke({f, key, value}, in(5)).type; };
  const auto read = [&] { return one->invoke({"read", key, Value()}, in(5)).value; };
  EXPECT_EQ(read(), Value());
  EXPECT_EQ(kind("cas", pair(Value(), Value(1))), EventType::ok);
  EXPECT_EQ(kind("cas", pair(Value(2), Value(3))), EventType::fail);
  EXPECT_EQ(kind("cas", pair(Value(1), Value("two"))), EventType::ok);
  EXPECT_EQ(read(), Value("two"));
  EXPECT_EQ(kind("write", Value(7)), EventType::ok);
  EXPECT_EQ(read(), Value(7));
  EXPECT_EQ(kind("cas", pair(Value(7), Value())), EventType::ok);
  EXPECT_EQ(read(), Value());
  EXPECT_EQ(kind("write", Value()), EventType::ok);
  EXPECT_EQ(one->invoke({"add", std::nullopt, Value(1)}, in(5)).type, EventType::ok);
  EXPECT_EQ(one->invoke({"add", std::nullopt, Value(2)}, in(5)).type, EventType::ok);
  const auto all = one->invoke({"read", std::nullopt, Value()}, in(5)).value;
  ASSERT_TRUE(all && all->is_list());
  EXPECT_EQ(all->items().size(), 2U);
  target_->client_setup()->use("counter");
  const auto counter = client();
  EXPECT_EQ(counter->invoke({"read", std::nullopt, Value()}, in(5)).value, Value(0));
  EXPECT_EQ(counter->invoke({"add", std::nullopt, Value(5)}, in(5)).type, EventType::ok);
  EXPECT_EQ(counter->invoke({"read", std::nullopt, Value()}, in(5)).value, Value(5));
  EXPECT_EQ(one->invoke({"enqueue", std::nullopt, Value(5)}, in(5)).type, EventType::fail);
}

TEST_F(RedisTargetTest, KeepsItsDataWhenKilledAndLosesItWhenWiped) {
  start();
  Target::Processes* processes = target_->processes();
  const auto one = client();
  ASSERT_EQ(one->invoke({"write", Value("k"), Value(1)}, in(5)).type, EventType::ok);
  ASSERT_EQ(processes->pids(node())->size(), 1U);
  ASSERT_TRUE(processes->kill(node()));
  EXPECT_TRUE(processes->pids(node())->empty());
  // It is dead: the connection first, then nobody is there.
  EXPECT_EQ(one->invoke({"write", Value("k"), Value(2)}, in(5)).type, EventType::info);
  const Completion refused = one->invoke({"write", Value("k"), Value(3)}, in(5));
  EXPECT_EQ(refused.type, EventType::fail);
  EXPECT_TRUE(refused.found_nobody());
  start();
  EXPECT_EQ(client()->invoke({"read", Value("k"), Value()}, in(5)).value, Value(1));
  ASSERT_TRUE(target_->installation()->wipe(node()));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/data"));
  start();
  EXPECT_EQ(client()->invoke({"read", Value("k"), Value()}, in(5)).value, Value());
  ASSERT_TRUE(target_->stop(node()));
  EXPECT_TRUE(processes->pids(node())->empty());
}

// By the node itself, for when the controller is dead.
TEST_F(RedisTargetTest, AScriptForRootStartsItAgain) {
  EXPECT_EQ(target_->processes()->start_script(node()), "") << "it belongs to the login user, whom root does not know";
  set("redis.sudo", "true");
  start();
  Target::Processes* processes = target_->processes();
  ASSERT_TRUE(processes->kill(node()));
  const std::string script = processes->start_script(node());
  for (int i = 0; i < 2; ++i) {
    const auto done = run_ok(node(), script);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(processes->pids(node())->size(), 1U);
  }
  EXPECT_TRUE(target_->await_ready(in(10)));
}

TEST_F(RedisTargetTest, AnAnswerThatDoesNotComeInTimeIsUnknownUnlessItIsARead) {
  start();
  const auto one = client();
  ASSERT_EQ(one->invoke({"write", Value("k"), Value(1)}, in(5)).type, EventType::ok);
  ASSERT_TRUE(target_->processes()->pause(node()));
  const auto soon = [] { return std::chrono::steady_clock::now() + std::chrono::milliseconds(100); };
  const Completion write = one->invoke({"write", Value("k"), Value(2)}, soon());
  EXPECT_EQ(write.type, EventType::info);
  EXPECT_EQ(write.error->kind, "timeout");
  EXPECT_EQ(one->invoke({"read", Value("k"), Value()}, soon()).type, EventType::fail);
  ASSERT_TRUE(target_->processes()->resume(node()));
  EXPECT_EQ(one->invoke({"read", Value("k"), Value()}, in(5)).type, EventType::ok);
}

TEST(RedisTarget, IsOneServer) {
  Cluster cluster;
  const Options options(redis_target().options);
  for (const char* name : {"n1", "n2"})
    cluster.nodes.push_back(std::make_unique<testing::ShellNode>(name, "127.0.0.1"));
  const auto made = redis_target().make(cluster, options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::usage);
}

}  // namespace
}  // namespace ordeal
