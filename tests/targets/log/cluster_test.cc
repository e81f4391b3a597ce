// ordeal-log as processes on loopback: a cluster that loses its leader, nodes that are killed, join and leave; what
// clients are told, and that nothing acknowledged is lost.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "support/free_port.h"
#include "support/program.h"
#include "targets/log/log_api.h"

namespace ordeal {
namespace {

using testing::Background;

class Cluster {
 public:
  explicit Cluster(std::size_t size, std::vector<std::string> flags = {}) : flags_(std::move(flags)), nodes_(size) {
    for (auto& node : nodes_) give_ports(node);
    for (std::size_t i = 0; i < size; ++i) {
      cluster_ += (i == 0 ? "" : ",") + name(i) + "=" + nodes_[i].peer + "/" + nodes_[i].client;
    }
    for (std::size_t i = 0; i < size; ++i) start(i);
  }

  void start(std::size_t i, std::size_t asked = 0) {
    std::vector<std::string> arguments = {ORDEAL_LOG,
                                          "--data=" + data(i),
                                          "--name=" + name(i),
                                          "--listen-client=" + nodes_[i].client,
                                          "--listen-peer=" + nodes_[i].peer,
                                          "--snapshot-entries=50",
                                          "--election-ms=500"};
    arguments.push_back(nodes_[i].joins ? "--join=" + nodes_[asked].client : "--cluster=" + cluster_);
    arguments.insert(arguments.end(), flags_.begin(), flags_.end());
    nodes_[i].process = std::make_unique<Background>(arguments, directory_.path() + "/" + name(i) + ".log");
  }
  // Another node, which asks `asked` to be let in.
  std::size_t add(std::size_t asked) {
    give_ports(nodes_.emplace_back());
    nodes_.back().joins = true;
    start(nodes_.size() - 1, asked);
    return nodes_.size() - 1;
  }
  void kill(std::size_t i) {
    nodes_[i].process->signal(SIGKILL);
    (void)nodes_[i].process->wait(std::chrono::seconds(20));
  }
  Background& process(std::size_t i) { return *nodes_[i].process; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] std::string data(std::size_t i) const { return directory_.path() + "/" + name(i); }
  static std::string name(std::size_t i) { return "n" + std::to_string(i + 1); }

  LogAnswer<Value> call(std::size_t i, const std::string& path, const std::string& request, double seconds = 20) {
    LogApi api("http://" + nodes_[i].client);
    return api.call(path, Value::from_json(request).value(), true, Deadline::after_s(seconds));
  }
  LogAnswer<Value> get(std::size_t i, const std::string& path) {
    return LogApi("http://" + nodes_[i].client).get(path, Deadline::after_s(20));
  }
  LogAnswer<Value> post(std::size_t i, const std::string& path, const std::string& request) {
    return LogApi("http://" + nodes_[i].client).post(path, Value::from_json(request).value(), Deadline::after_s(30));
  }
  // Until the node answers a linearizable read.
  bool ready(std::size_t i) {
    const Deadline deadline = Deadline::after_s(60);
    while (!get(i, "/readyz")) {
      if (deadline.passed()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return true;
  }
  std::size_t leader() {
    const Deadline deadline = Deadline::after_s(60);
    while (!deadline.passed()) {
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const auto status = get(i, "/v1/status");
        if (status && *status->find("role") == Value("leader")) return i;
      }
    }
    ADD_FAILURE() << "nobody leads";
    return 0;
  }

 private:
  struct Seat {
    std::string client, peer;
    bool joins = false;
    std::unique_ptr<Background> process;
  };
  static void give_ports(Seat& seat) {
    seat.client = "127.0.0.1:" + std::to_string(testing::free_port());
    seat.peer = "127.0.0.1:" + std::to_string(testing::free_port());
  }
  const std::vector<std::string> flags_;
  testing::TemporaryDirectory directory_;
  std::string cluster_;
  std::vector<Seat> nodes_;
};

std::string text(const LogAnswer<Value>& answer) {
  return answer ? answer->to_json() : answer.error().kind + ": " + answer.error().message;
}

TEST(LogNode, OneNodeAloneServesEverything) {
  Cluster one(1);
  ASSERT_TRUE(one.ready(0));
  EXPECT_EQ(text(one.call(0, "/v1/log/append", R"({"entry":"hello"})")), R"({"position":0})");
  EXPECT_EQ(text(one.call(0, "/v1/log/read", "{}")), R"({"entries":["hello"],"from":0,"size":1})");
  EXPECT_EQ(text(one.call(0, "/v1/kv/get", R"({"key":"k"})")), R"({"value":null,"version":0})");
  EXPECT_EQ(text(one.call(0, "/v1/counter/add", R"({"key":"n","amount":5})")).substr(0, 10), R"({"value":5)");
  EXPECT_EQ(one.call(0, "/v1/kv/cas", R"({"key":"k","old":1,"new":2})").error().kind, "conflict");
  EXPECT_TRUE(one.call(0, "/v1/kv/cas", R"({"key":"k","old":null,"new":2})"));
  EXPECT_EQ(one.call(0, "/v1/kv/cas", "{}").error().status, 400);
  EXPECT_EQ(one.get(0, "/nothing").error().status, 404);
  const auto head = one.get(0, "/v1/log/head");
  ASSERT_TRUE(head) << text(head);
  EXPECT_EQ(*head->find("size"), Value(1));
  EXPECT_TRUE(one.get(0, "/v1/log/proof/inclusion?index=0&size=1"));
  EXPECT_EQ(one.get(0, "/v1/log/proof/inclusion?index=1&size=1").error().status, 400);
  EXPECT_TRUE(one.get(0, "/healthz"));
  // Again, from what is on its disk.
  one.kill(0);
  one.start(0);
  ASSERT_TRUE(one.ready(0));
  EXPECT_EQ(text(one.call(0, "/v1/log/read", "{}")), R"({"entries":["hello"],"from":0,"size":1})");
}

TEST(LogNode, NothingAcknowledgedIsLostWhenLeadersAreKilled) {
  Cluster three(3);
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(three.ready(i));
  std::vector<std::string> acknowledged;
  int next = 0;
  for (int round = 0; round < 3; ++round) {
    const std::size_t leader = three.leader();
    for (int i = 0; i < 60; ++i) {
      const std::string entry = "e" + std::to_string(next++);
      const std::size_t node = static_cast<std::size_t>(i) % 3;
      const auto done = three.call(node, "/v1/log/append", R"({"entry":")" + entry + "\"}");
      ASSERT_TRUE(done) << text(done);
      acknowledged.push_back(entry);
    }
    three.kill(leader);
    const auto during = three.call((leader + 1) % 3, "/v1/log/append", R"({"entry":"during","idempotency_key":"d"})");
    EXPECT_TRUE(during) << text(during);  // the others elect another and go on
    three.start(leader);
    ASSERT_TRUE(three.ready(leader));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const auto all = three.call(i, "/v1/log/read", R"({"limit":10000})");
    ASSERT_TRUE(all) << text(all);
    std::vector<std::string> seen;
    int during = 0;
    for (const Value& entry : all->find("entries")->items()) {
      if (entry.string() == "during") ++during;
      if (entry.string() != "during") seen.push_back(entry.string());
    }
    EXPECT_EQ(seen, acknowledged) << "node " << i;
    EXPECT_EQ(during, 1) << "one idempotency key, over failovers, restarts and snapshots";
  }
  const auto heads = std::pair(three.get(0, "/v1/log/head"), three.get(1, "/v1/log/head"));
  EXPECT_EQ(*heads.first->find("root"), *heads.second->find("root"));
}

TEST(LogNode, WithoutAQuorumNothingIsWrittenAndOutcomesAreHonest) {
  Cluster three(3);
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(three.ready(i));
  const std::size_t leader = three.leader();
  const std::size_t one = (leader + 1) % 3;
  three.kill(one);
  three.kill((leader + 2) % 3);
  const auto write = three.call(leader, "/v1/kv/put", R"({"key":"k","value":1})", 3);
  ASSERT_FALSE(write);
  const auto read = three.call(leader, "/v1/kv/get", R"({"key":"k"})", 3);
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().certain);
  const auto local = three.call(leader, "/v1/kv/get", R"({"key":"k","consistency":"local"})");
  EXPECT_TRUE(local) << text(local);
  three.start(one);
  ASSERT_TRUE(three.ready(leader));
  const auto after = three.call(leader, "/v1/kv/get", R"({"key":"k"})");
  ASSERT_TRUE(after) << text(after);
  // What was called certain must not have happened.
  if (write.error().certain) {
    EXPECT_TRUE(after->find("value")->is_nil()) << text(after);
  }
}

TEST(LogNode, FollowersRedirectWhenAsked) {
  Cluster three(3);
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(three.ready(i));
  const std::size_t follower = (three.leader() + 1) % 3;
  const auto answer = three.call(follower, "/v1/kv/put", R"({"key":"k","value":1,"on_follower":"redirect"})");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().status, 307);
  EXPECT_TRUE(answer.error().certain);
  EXPECT_TRUE(three.call(follower, "/v1/kv/put", R"({"key":"k","value":1})"));
}

// A node that was only told of members that did not lead was sent from one to the other and never let in.
TEST(RegressLogNode, NodesJoinAndLeave) {
  Cluster cluster(3);
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(cluster.ready(i));
  for (int i = 0; i < 120; ++i) ASSERT_TRUE(cluster.call(0, "/v1/log/append", R"({"entry":"x"})"));
  // Asks one that does not lead.
  const std::size_t fourth = cluster.add((cluster.leader() + 1) % 3);
  ASSERT_TRUE(cluster.ready(fourth));
  const auto seen = cluster.call(fourth, "/v1/log/read", R"({"from":119})");
  EXPECT_EQ(text(seen), R"({"entries":["x"],"from":119,"size":120})");
  Deadline deadline = Deadline::after_s(60);
  const auto voters = [&] {
    const auto status = cluster.get(cluster.leader(), "/v1/status");
    return status ? status->find("voters")->items().size() : 0;
  };
  while (voters() != 4 && !deadline.passed()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(voters(), 4U);
  // The leader itself leaves.
  const std::size_t leader = cluster.leader();
  const auto id = cluster.get(leader, "/v1/status")->find("node")->integer();
  deadline = Deadline::after_s(60);
  bool gone = false;
  while (!gone && !deadline.passed()) {
    (void)cluster.post(cluster.leader(), "/v1/members/remove", R"({"id":)" + std::to_string(id) + "}");
    const auto members = cluster.get((leader + 1) % 4, "/v1/members");
    gone = members && members->find("members")->items().size() == 3;
  }
  EXPECT_TRUE(gone);
  EXPECT_TRUE(cluster.call((leader + 1) % 4, "/v1/log/append", R"({"entry":"y"})"));
}

// One bit of one byte: that in the middle, or the one at `at`.
void flip(const std::filesystem::path& path, std::streamoff at = -1) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(0, std::ios::end);
  if (at < 0) at = static_cast<std::streamoff>(file.tellg()) / 2;
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 0x10));
  ASSERT_TRUE(file.good());
}

// A byte in the middle of the oldest segment; a flipped bit there is no torn tail.
void damage(const std::string& data) {
  std::vector<std::filesystem::path> segments;
  for (const auto& file : std::filesystem::directory_iterator(data + "/wal")) {
    if (file.path().extension() == ".wal") segments.push_back(file.path());
  }
  ASSERT_FALSE(segments.empty());
  flip(*std::min_element(segments.begin(), segments.end()));
}

TEST(LogNode, ADamagedNodeIsRebuiltFromTheQuorum) {
  Cluster three(3, {"--recover"});
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(three.ready(i));
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(three.call(0, "/v1/log/append", R"({"entry":"x"})"));
  const std::size_t sick = (three.leader() + 1) % 3;
  const std::size_t other = (sick + 1) % 3;
  const std::size_t third = (sick + 2) % 3;
  three.kill(sick);
  damage(three.data(sick));
  // Without a quorum of the others nothing is changed: what is there is all that it has.
  three.kill(other);
  three.start(sick);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_FALSE(std::filesystem::exists(three.data(sick) + "/damaged-1"));
  three.start(other);
  ASSERT_TRUE(three.ready(sick));
  EXPECT_TRUE(std::filesystem::exists(three.data(sick) + "/damaged-1"));
  EXPECT_GT(three.get(sick, "/v1/status")->find("node")->integer(), 3) << "its old id may have voted";
  EXPECT_EQ(text(three.call(sick, "/v1/log/read", R"({"from":69})")), R"({"entries":["x"],"from":69,"size":70})");
  // It counts again: with it, another one may go.
  const std::string id = three.get(sick, "/v1/status")->find("node")->to_json();
  // While the change lasts a majority of the two that were there before is needed as well: both.
  const auto counts = [&] {
    const auto status = three.get(three.leader(), "/v1/status");
    return status && status->find("voters")->to_json().find(id) != std::string::npos &&
           status->find("outgoing")->items().empty();
  };
  Deadline deadline = Deadline::after_s(60);
  while (!counts() && !deadline.passed()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(counts());
  three.kill(third);
  deadline = Deadline::after_s(60);
  // What was passed on to the one that is gone has no known outcome; then there is another leader.
  bool appended = false;
  while (!appended && !deadline.passed()) appended = three.call(sick, "/v1/log/append", R"({"entry":"y"})").has_value();
  EXPECT_TRUE(appended) << "with one of three gone, the rebuilt one makes the majority";
  // A second start finds sound files, and is the same node.
  three.kill(sick);
  three.start(sick);
  ASSERT_TRUE(three.ready(sick));
  EXPECT_EQ(three.get(sick, "/v1/status")->find("node")->to_json(), id);
}

// What the node kept of its tree was refused at the start, and --recover changed nothing about it.
TEST(RegressLogNode, ANodeWhoseTreeIsDamagedIsRebuiltFromTheQuorum) {
  Cluster three(3, {"--recover"});
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(three.ready(i));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(three.call(0, "/v1/log/append", R"({"entry":"x"})"));
  std::int64_t id = 3;
  for (const char* name : {"leaves", "checkpoint"}) {
    const std::size_t sick = (three.leader() + 1) % 3;
    const std::string data = three.data(sick);
    const std::string before = three.get(sick, "/v1/status")->find("node")->to_json();
    three.process(sick).signal(SIGTERM);  // it writes all of its tree
    ASSERT_EQ(three.process(sick).wait(std::chrono::seconds(30)), 0);
    ASSERT_TRUE(std::filesystem::exists(data + "/tree/" + name));
    // Of a head the root, which stands behind its origin ("ordeal.example/log") and its size (20).
    flip(data + "/tree/" + name, std::string(name) == "checkpoint" ? 24 : -1);
    three.start(sick);
    ASSERT_TRUE(three.ready(sick)) << name;
    const std::int64_t now = three.get(sick, "/v1/status")->find("node")->integer();
    EXPECT_GT(now, id) << name << ": node " << before;
    EXPECT_TRUE(std::filesystem::exists(data + "/damaged-1")) << name;
    EXPECT_EQ(text(three.call(sick, "/v1/log/read", R"({"from":19})")), R"({"entries":["x"],"from":19,"size":20})");
    id = now;
    // The next one needs the majority of these three.
    const auto counts = [&] {
      const auto status = three.get(three.leader(), "/v1/status");
      return status && status->find("voters")->to_json().find(std::to_string(now)) != std::string::npos &&
             status->find("outgoing")->items().empty();
    };
    const Deadline deadline = Deadline::after_s(60);
    while (!counts() && !deadline.passed()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ASSERT_TRUE(counts());
  }
}

TEST(LogNode, ADamagedNodeAloneIsNotRebuilt) {
  Cluster one(1, {"--recover"});
  ASSERT_TRUE(one.ready(0));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(one.call(0, "/v1/log/append", R"({"entry":"x"})"));
  one.kill(0);
  damage(one.data(0));
  one.start(0);
  EXPECT_EQ(one.process(0).wait(std::chrono::seconds(30)), 64);
  EXPECT_FALSE(std::filesystem::exists(one.data(0) + "/damaged-1"));
}

TEST(LogNode, OnlyTheClusterThatIsMeantRemovesAMember) {
  Cluster one(1);
  ASSERT_TRUE(one.ready(0));
  EXPECT_EQ(one.post(0, "/v1/members/remove", R"({"id":1,"cluster":"another"})").error().kind, "other-cluster");
}

// A node that joined did not show the token that the members ask for.
TEST(RegressLogNode, JoinsAClusterThatWantsAToken) {
  Cluster one(1, {"--token=secret"});
  ASSERT_TRUE(one.ready(0));
  EXPECT_TRUE(one.ready(one.add(0)));
}

TEST(LogNode, AGracefulStopHandsOver) {
  Cluster three(3);
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(three.ready(i));
  const std::size_t leader = three.leader();
  three.process(leader).signal(SIGTERM);
  EXPECT_EQ(three.process(leader).wait(std::chrono::seconds(30)), 0);
  EXPECT_TRUE(three.call((leader + 1) % 3, "/v1/kv/put", R"({"key":"k","value":1})"));
}

TEST(LogNode, TokensAndLimits) {
  Cluster one(1, {"--token=secret", "--max-body-bytes=2000"});
  ASSERT_TRUE(one.ready(0));  // health needs no token
  EXPECT_EQ(one.call(0, "/v1/id", "{}").error().status, 401);
  const std::string large = R"({"entry":")" + std::string(4000, 'x') + "\"}";
  EXPECT_EQ(one.call(0, "/v1/log/append", large).error().status, 413);
}

TEST(LogProgram, WrongUsageIsTold) {
  const auto bad = testing::run_program({ORDEAL_LOG, "--data", "d", "--heartbeat-ms", "1"});
  EXPECT_EQ(bad.exit_code, 64);
  EXPECT_NE(bad.err.find("--heartbeat-ms"), std::string::npos);
  EXPECT_EQ(testing::run_program({ORDEAL_LOG, "--help"}).exit_code, 0);
}

}  // namespace
}  // namespace ordeal
