// Target log on three loopback addresses of this machine, controlled through ShellNode: the database half, every
// operation of the client half, members that leave and come back, and what problems mean.

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "support/free_port.h"
#include "support/program.h"
#include "targets/log/client.h"
#include "targets/log/log_scripts.h"
#include "targets/log/log_target.h"
#include "tests/targets/shell_node.h"

namespace ordeal {
namespace {

Deadline in(double s) { return Deadline::after_s(s); }

class LogTargetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_ = Options(log_target().options);
    set("log.dir", directory_.path());
    set("log.sudo", "false");
    set("log.binary", ORDEAL_LOG);
    set("log.election-ms", "500");
    set("log.client-port", std::to_string(testing::free_port()));
    set("log.peer-port", std::to_string(testing::free_port()));
    std::string kill_all;
    for (int i = 1; i <= 3; ++i) {
      const std::string name = "n" + std::to_string(i);
      cluster_.nodes.push_back(std::make_unique<testing::ShellNode>(name, "127.0.0." + std::to_string(i)));
      kill_all += "(" + log_signal_script(log_paths(options_, name), "KILL", true, 5) + ")\n";
    }
    clean_up_ = std::make_unique<testing::AtEnd>(kill_all);
    auto made = log_target().make(cluster_, options_);
    ASSERT_TRUE(made) << made.error().message;
    target_ = std::move(*made);
    for (auto& node : cluster_.nodes) {
      auto up = target_->installation()
                    ->install(*node)
                    .and_then([&] { return target_->installation()->wipe(*node); })
                    .and_then([&] { return target_->start(*node); });
      ASSERT_TRUE(up) << up.error().message;
    }
    const auto ready = target_->await_ready(in(60));
    ASSERT_TRUE(ready) << ready.error().message;
  }
  void TearDown() override {
    target_.reset();
    clean_up_.reset();
  }
  void set(const char* key, const std::string& value) { ASSERT_TRUE(options_.set(key, value, "test")); }
  std::unique_ptr<Client> client(const char* data_type, std::size_t node = 0) {
    target_->client_setup()->use(data_type);
    return std::move(*target_->client(node));
  }
  std::size_t pids(std::size_t node) {
    auto found = target_->processes()->pids(cluster_.at(node));
    EXPECT_TRUE(found);
    return found.value_or(std::vector<int>{}).size();
  }

  testing::TemporaryDirectory directory_;
  Options options_;
  Cluster cluster_;
  std::unique_ptr<testing::AtEnd> clean_up_;
  std::unique_ptr<Target> target_;
};

// "ok 5", "fail conflict", "info timeout".
std::string play(Client& client, Operation operation) {
  const Completion done = client.invoke(operation, in(20));
  if (done.type == EventType::ok) return "ok " + (done.value ? *done.value : operation.value).to_json();
  return (done.type == EventType::fail ? "fail " : "info ") + done.error->kind;
}

TEST_F(LogTargetTest, Operations) {
  auto registers = client("register");
  const Value key("k");
  EXPECT_EQ(play(*registers, {"read", key, {}}), "ok null");
  EXPECT_EQ(play(*registers, {"write", key, 3}), "ok 3");
  EXPECT_EQ(play(*registers, {"cas", key, Value::list({4, 5})}), "fail conflict");
  EXPECT_EQ(play(*registers, {"cas", key, Value::list({3, 5})}), "ok [3,5]");
  EXPECT_EQ(play(*client("register", 2), {"read", key, {}}), "ok 5");

  auto txn = client("list-append", 1);
  const Value ops = Value::from_json(R"([["append",1,7],["r",1,null],["append",1,8],["r",2,null]])").value();
  EXPECT_EQ(play(*txn, {"txn", {}, ops}), R"(ok [["append",1,7],["r",1,[7]],["append",1,8],["r",2,null]])");

  auto counter = client("counter", 2);
  EXPECT_EQ(play(*counter, {"read", {}, {}}), "ok 0");
  EXPECT_EQ(play(*counter, {"add", {}, -4}), "ok -4");
  EXPECT_EQ(play(*counter, {"read", {}, {}}), "ok -4");

  auto set = client("set");
  EXPECT_EQ(play(*set, {"add", {}, 2}), "ok 2");
  EXPECT_EQ(play(*set, {"read", {}, {}}), "ok [2]");

  auto queue = client("queue", 1);
  EXPECT_EQ(play(*queue, {"dequeue", {}, {}}), "ok null");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(play(*queue, {"enqueue", {}, i}).substr(0, 2), "ok");
  EXPECT_EQ(play(*queue, {"dequeue", {}, {}}), "ok 0");
  EXPECT_EQ(play(*queue, {"drain", {}, {}}), "ok [1,2]");

  auto log = client("log", 1);
  EXPECT_EQ(play(*log, {"append", {}, "a"}), "ok \"a\"");
  EXPECT_EQ(play(*log, {"append", {}, 2}), "ok 2");
  EXPECT_EQ(play(*log, {"read", {}, {}}), "ok [\"a\",2]");
  EXPECT_EQ(play(*log, {"read", {}, 1}), "ok [2]");

  auto ids = client("unique-ids");
  EXPECT_EQ(play(*ids, {"generate", {}, {}}), "ok 1");
  EXPECT_EQ(play(*ids, {"generate", {}, {}}), "ok 2");

  auto versioned = client("versioned");
  EXPECT_EQ(play(*versioned, {"read", "v", {}}), "ok [0,null]");
  const auto made = versioned->invoke({"cas-version", Value("v"), Value::list({0, 7})}, in(20));
  ASSERT_TRUE(made.value);
  EXPECT_EQ(play(*versioned, {"read", "v", {}}), "ok " + made.value->to_json());
  EXPECT_EQ(play(*versioned, {"cas-version", "v", Value::list({0, 8})}), "fail conflict");
}

TEST_F(LogTargetTest, Services) {
  auto one = client("lock", 0);
  auto other = client("lock", 1);
  const auto token = one->invoke({"acquire", {}, {}}, in(20));
  ASSERT_TRUE(token.value && token.value->is_integer());
  EXPECT_EQ(play(*other, {"acquire", {}, {}}), "fail held");
  EXPECT_EQ(play(*other, {"release", {}, {}}), "fail not-held");
  EXPECT_EQ(play(*one, {"release", {}, {}}).substr(0, 2), "ok");
  const auto next = other->invoke({"acquire", {}, {}}, in(20));
  ASSERT_TRUE(next.value && next.value->is_integer());
  EXPECT_GT(next.value->integer(), token.value->integer());
  EXPECT_EQ(play(*other, {"release", {}, {}}).substr(0, 2), "ok");

  auto candidate = client("election");
  EXPECT_EQ(play(*candidate, {"campaign", {}, "w1"}).substr(0, 2), "ok");
  EXPECT_NE(play(*candidate, {"leader", {}, {}}).find("\"leader\":\"w1\""), std::string::npos);
  EXPECT_EQ(play(*candidate, {"resign", {}, {}}), "ok null");

  auto apply = client("idempotency", 2);
  const std::string first = play(*apply, {"apply", {}, "key"});
  EXPECT_EQ(first.substr(0, 2), "ok");
  EXPECT_EQ(play(*client("idempotency", 0), {"apply", {}, "key"}), first);
  EXPECT_EQ(play(*apply, {"read", {}, {}}), "ok [\"key\"]");

  auto bank = client("bank");
  EXPECT_EQ(play(*bank, {"transfer", {}, Value::from_json(R"({"from":0,"to":1,"amount":4})").value()}).substr(0, 2),
            "ok");
  EXPECT_EQ(play(*bank, {"transfer", {}, Value::from_json(R"({"from":0,"to":1,"amount":7})").value()}),
            "fail insufficient");
  EXPECT_EQ(play(*bank, {"read", {}, {}}), "ok [6,14,10,10,10,10,10,10]");

  auto g2 = client("g2");
  EXPECT_EQ(play(*g2, {"insert", 1, Value::list({5, {}})}).substr(0, 2), "ok");
  EXPECT_EQ(play(*g2, {"insert", 1, Value::list({{}, 6})}), "fail conflict");

  auto messages = client("dead-letter");
  const Value message = Value::from_json(R"({"id":9,"poison":true})").value();
  EXPECT_EQ(play(*messages, {"enqueue", {}, message}).substr(0, 2), "ok");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(play(*messages, {"receive", {}, {}}), "ok " + message.to_json());
    EXPECT_EQ(play(*messages, {"reject", {}, 9}), "ok 9");
  }
  EXPECT_EQ(play(*messages, {"receive", {}, {}}), "ok null");
  EXPECT_EQ(play(*messages, {"drain-dead", {}, {}}), "ok [" + message.to_json() + "]");
  EXPECT_EQ(play(*messages, {"ack", {}, 9}), "fail not-delivered");

  auto events = client("event-log");
  EXPECT_EQ(play(*events, {"append", "e", "x"}), "ok [1,\"x\"]");
  EXPECT_EQ(play(*events, {"append", "e", "y"}), "ok [2,\"y\"]");
  EXPECT_EQ(play(*events, {"read", "e", 1}), "ok [2,[\"x\",\"y\"]]");
  EXPECT_EQ(play(*events, {"read-at", "e", 1}), "ok [1,[\"x\"]]");
  EXPECT_EQ(play(*events, {"read-at", "e", 3}), "fail not-reached");
}

using RegressLogTarget = LogTargetTest;

// While nobody led, `leader` said term 0: the checker rightly took that for a term that went back.
TEST_F(RegressLogTarget, NobodyLeadsInNoTerm) {
  auto candidate = client("election");
  EXPECT_EQ(play(*candidate, {"leader", {}, {}}), "ok null");
  EXPECT_EQ(play(*candidate, {"campaign", {}, "w1"}).substr(0, 2), "ok");
  EXPECT_EQ(play(*candidate, {"resign", {}, {}}), "ok null");
  EXPECT_EQ(play(*candidate, {"leader", {}, {}}), "ok null");
}

TEST_F(LogTargetTest, ProcessesAndRoles) {
  const auto primaries = target_->roles()->primaries(in(10));
  ASSERT_TRUE(primaries) << primaries.error().message;
  ASSERT_EQ(primaries->size(), 1U);
  const std::size_t leader = primaries->front();
  EXPECT_EQ(pids(leader), 1U);  // not also who would start it again
  ASSERT_TRUE(target_->processes()->kill(cluster_.at(leader)));
  EXPECT_EQ(pids(leader), 0U);
  // Until the kernel has closed what it listened on, a connection is made and reset.
  const Deadline deadline = in(60);
  std::string refused;
  while (refused != "fail connection-refused" && !deadline.passed()) {
    refused = play(*client("register", leader), {"write", "k", 1});
  }
  EXPECT_EQ(refused, "fail connection-refused");
  // The first ones may be lost with the leader.
  auto other = client("register", (leader + 1) % 3);
  while (play(*other, {"write", "k", 2}) != "ok 2" && !deadline.passed()) continue;
  ASSERT_TRUE(target_->start(cluster_.at(leader)));
  ASSERT_TRUE(target_->start(cluster_.at(leader)));  // no-op
  EXPECT_EQ(pids(leader), 1U);
  const auto ready = target_->await_node(cluster_.at(leader), in(60));
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_EQ(play(*client("register", leader), {"read", "k", {}}), "ok 2");
  // A paused node: nobody knows.
  ASSERT_TRUE(target_->processes()->pause(cluster_.at(leader)));
  const Completion paused = client("register", leader)->invoke({"write", Value("k"), 3}, in(1));
  EXPECT_EQ(paused.type, EventType::info);
  ASSERT_TRUE(target_->processes()->resume(cluster_.at(leader)));
  ASSERT_TRUE(target_->stop(cluster_.at(leader)));
  EXPECT_EQ(pids(leader), 0U);
}

TEST_F(LogTargetTest, MembersLeaveAndComeBack) {
  auto* membership = target_->membership();
  EXPECT_EQ(play(*client("register", 0), {"write", "k", 1}), "ok 1");
  const auto removed = membership->remove(cluster_.at(2), in(60));
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(pids(2), 0U);
  EXPECT_FALSE(target_->start(cluster_.at(2)));
  EXPECT_EQ(membership->members(cluster_.at(0), in(10)).value().size(), 2U);
  ASSERT_TRUE(membership->remove(cluster_.at(2), in(60)));  // no-op
  const auto added = membership->add(cluster_.at(2), in(60));
  ASSERT_TRUE(added) << added.error().message;
  const auto started = target_->start(cluster_.at(2));
  ASSERT_TRUE(started) << started.error().message;
  const auto ready = target_->await_node(cluster_.at(2), in(60));
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_EQ(play(*client("register", 2), {"read", "k", {}}), "ok 1");
  const auto members = membership->members(cluster_.at(0), in(10)).value();
  ASSERT_EQ(members.size(), 3U);
  EXPECT_EQ(members.back().node, "n3");
  EXPECT_NE(members.back().id, "3");
}

// Only the other members were asked to take the leader out, who sent to the leader, until the time was over.
TEST_F(LogTargetTest, RegressTheLeaderLeavesAsWell) {
  const auto primaries = target_->roles()->primaries(in(10));
  ASSERT_TRUE(primaries) << primaries.error().message;
  const std::size_t leader = primaries->front();
  const std::size_t other = (leader + 1) % 3;
  EXPECT_EQ(play(*client("register", other), {"write", "k", 1}), "ok 1");
  const auto removed = target_->membership()->remove(cluster_.at(leader), in(60));
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(pids(leader), 0U);
  EXPECT_EQ(target_->membership()->members(cluster_.at(other), in(10)).value().size(), 2U);
  const Deadline deadline = in(60);
  while (play(*client("register", other), {"write", "k", 2}) != "ok 2" && !deadline.passed()) continue;
  EXPECT_EQ(play(*client("register", other), {"read", "k", {}}), "ok 2");
}

TEST(LogProblems, SayWhetherAnythingHappened) {
  const auto sure = log_problem(503, R"({"error":{"code":"no-leader","message":"m","outcome":"not-applied"}})");
  EXPECT_TRUE(sure.certain);
  EXPECT_EQ(sure.kind, "no-leader");
  EXPECT_FALSE(log_problem(504, R"({"error":{"code":"timeout","outcome":"unknown"}})").certain);
  EXPECT_FALSE(log_problem(503, "<html>a proxy</html>").certain);
  EXPECT_FALSE(log_problem(500, "{}").certain);
  EXPECT_EQ(unanswered(sure, true).type, EventType::fail);
  EXPECT_EQ(unanswered({false, "timeout", "", 0}, true).type, EventType::info);
  EXPECT_EQ(unanswered({false, "timeout", "", 0}, false).type, EventType::fail);  // a read changes nothing
}

}  // namespace
}  // namespace ordeal
