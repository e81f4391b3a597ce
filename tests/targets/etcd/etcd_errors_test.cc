// What etcd's errors say about the request, and the pieces of the client that need no server.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "targets/etcd/api.h"
#include "targets/etcd/client.h"
#include "targets/etcd/etcd_scripts.h"
#include "targets/etcd/etcd_target.h"

namespace ordeal {
namespace {

TEST(EtcdErrors, CertainFailures) {
  const std::pair<int, const char*> certain[] = {
      {8, "etcdserver: too many requests"},
      {3, "etcdserver: duplicate key given in txn request"},
      {11, "etcdserver: mvcc: required revision has been compacted"},
      {5, "etcdserver: requested lease not found"},
      {14, "etcdserver: unhealthy cluster"},
      {3, "etcdserver: request is too large"},
      {3, "unexpected EOF"},
  };
  for (const auto& [code, message] : certain) EXPECT_TRUE(etcd_problem(code, message).certain) << message;
}

TEST(EtcdErrors, NobodyKnows) {
  const std::pair<int, const char*> unknown[] = {
      {14, "etcdserver: request timed out"},
      {14, "etcdserver: request timed out, possibly due to previous leader failure"},
      {14, "etcdserver: leader changed"},
      {14, "etcdserver: no leader"},
      {14, "etcdserver: server stopped"},
      {2, "raft: stopped"},
      {14, "transport is closing"},
      {4, "context deadline exceeded"},
      {1, "context canceled"},
      {2, "something new"},
      {13, "stream terminated by RST_STREAM"},
      // The put was applied before this error is returned.
      {8, "etcdserver: mvcc: database space exceeded"},
  };
  for (const auto& [code, message] : unknown) EXPECT_FALSE(etcd_problem(code, message).certain) << message;
}

TEST(EtcdErrors, WhatChangesNothingHasFailed) {
  const EtcdProblem lost{false, "timeout", "…"};
  const EtcdProblem refused{true, "connection-refused", "…"};
  EXPECT_EQ(unanswered(lost, true).type, EventType::info);
  EXPECT_EQ(unanswered(lost, false).type, EventType::fail);
  EXPECT_EQ(unanswered(refused, true).type, EventType::fail);
  EXPECT_EQ(unanswered(refused, true).error->kind, "connection-refused");
}

// A server that takes connections and never answers: whether the request had an effect nobody knows.
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 64), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    endpoint_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~SilentServer() { ::close(socket_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  [[nodiscard]] int socket() const { return socket_; }

 private:
  int socket_;
  std::string endpoint_;
};

TEST(EtcdErrors, WhatWasNotAnsweredIsInfoWhenItChangesSomething) {
  const SilentServer server;
  const auto outcome = [&](const Operation& operation, EtcdClientOptions options = {}) {
    EtcdClient client(server.endpoint(), options);
    const Completion completion = client.invoke(operation, Deadline::after(std::chrono::milliseconds(60)));
    EXPECT_TRUE(completion.error) << operation.f;
    return completion.type;
  };
  const Value txn = *Value::from_json(R"([["r","x",null],["w","y",1]])");
  EXPECT_EQ(outcome({"write", Value("k"), Value(1)}), EventType::info);
  EXPECT_EQ(outcome({"write", Value("k"), Value()}), EventType::info) << "which deletes the key";
  EXPECT_EQ(outcome({"cas", Value("k"), Value::list({1, 2})}), EventType::info);
  EXPECT_EQ(outcome({"cas", Value("k"), Value::list({Value(), 2})}), EventType::info);
  EXPECT_EQ(outcome({"generate", std::nullopt, {}}), EventType::info);
  EXPECT_EQ(outcome({"add", std::nullopt, Value(1)}), EventType::info);
  EXPECT_EQ(outcome({"txn", std::nullopt, txn}), EventType::info);
  EXPECT_EQ(outcome({"read", Value("k"), {}}), EventType::fail);
  EXPECT_EQ(outcome({"read", std::nullopt, {}}), EventType::fail);
  EXPECT_EQ(outcome({"txn", std::nullopt, *Value::from_json(R"([["r","x",null]])")}), EventType::fail);
  // The first request of these only reads.
  EXPECT_EQ(outcome({"add", std::nullopt, Value(1)}, {.set_by_cas = true}), EventType::fail);
  EXPECT_EQ(outcome({"add", std::nullopt, Value(1)}, {.counter = true}), EventType::fail);
}

// A server that gives its one client the same reply to whatever it asks.
void reply_once(const SilentServer& server, const std::string& body) {
  const timeval limit{60, 0};
  EXPECT_EQ(::setsockopt(server.socket(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  const int client = ::accept(server.socket(), nullptr, nullptr);
  std::array<char, 4096> asked{};
  EXPECT_GT(::recv(client, asked.data(), asked.size(), 0), 0);
  const std::string reply =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  EXPECT_EQ(::send(client, reply.data(), reply.size(), MSG_NOSIGNAL), static_cast<ssize_t>(reply.size()));
  ::close(client);
}

TEST(EtcdErrors, ATransactionsReplyHasWhatWasAskedFor) {
  const auto answer = [](const std::string& responses) {
    const SilentServer server;
    const std::string body = R"({"header":{"revision":"3"},"succeeded":true,"responses":)" + responses + "}";
    const std::jthread serving([&] { reply_once(server, body); });
    EtcdApi api(server.endpoint());
    EtcdTxn read;
    read.success = {EtcdRange{"k"}};
    return api.txn(read, Deadline::after_s(60));
  };
  const auto good = answer(R"([{"response_range":{"kvs":[]}}])");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->responses.size(), 1U);
  EXPECT_FALSE(answer(R"([{"response_put":{}}])")) << "which would be taken for a key that is not there";
  EXPECT_FALSE(answer("[]"));
}

TEST(EtcdPrefix, EndsBehindEveryKeyWithThePrefix) {
  EXPECT_EQ(etcd_prefix_end("a/"), "a0");
  EXPECT_EQ(etcd_prefix_end("a\xff"), "b");
  EXPECT_EQ(etcd_prefix_end("\xff"), std::string(1, '\0'));
}

TEST(EtcdKey, StringsAsTheyAreOthersAsJson) {
  EXPECT_EQ(etcd_key(Value("k7")), "ordeal/kv/k7");
  EXPECT_EQ(etcd_key(Value(7)), "ordeal/kv/7");
}

TEST(EtcdArguments, Ipv6InBracketsAndNamesOnAllAddresses) {
  const Options options(etcd_target().options);
  const std::vector<EtcdMember> members = {{"n1", "fd00::1"}, {"n2", "10.0.0.2"}, {"n3", "db3.example"}};
  const auto has = [&](std::size_t self, const std::string& argument) {
    const auto all = etcd_arguments(options, members, self);
    return std::find(all.begin(), all.end(), argument) != all.end();
  };
  EXPECT_TRUE(has(0, "--listen-client-urls=http://[fd00::1]:2379"));
  EXPECT_TRUE(has(0, "--initial-advertise-peer-urls=http://[fd00::1]:2380"));
  EXPECT_TRUE(has(1, "--listen-peer-urls=http://10.0.0.2:2380"));
  EXPECT_TRUE(has(2, "--listen-client-urls=http://0.0.0.0:2379"));
  EXPECT_TRUE(has(2, "--advertise-client-urls=http://db3.example:2379"));
  EXPECT_TRUE(has(2, "--initial-cluster=n1=http://[fd00::1]:2380,n2=http://10.0.0.2:2380,n3=http://db3.example:2380"));
}

TEST(EtcdLastWords, AreASentenceWithWhatToDo) {
  EXPECT_EQ(etcd_last_words(""), "it left no message in its log");
  EXPECT_EQ(etcd_last_words("exec: no such file\n"), "exec: no such file");
  const std::string in_use = "listen tcp 10.77.0.1:2379: bind: address already in use";
  const std::string said = R"({"level":"warn","msg":"failed to start etcd","error":")" + in_use + "\"}\n" +
                           R"({"level":"fatal","msg":"discovery failed","error":")" + in_use +
                           R"(","stacktrace":"main.main\n\tgo"})";
  const std::string words = etcd_last_words(said);
  EXPECT_TRUE(words.starts_with(in_use + ". Another program has the port")) << words;
  EXPECT_NE(words.find("etcd.client-port"), std::string::npos);
  EXPECT_EQ(etcd_last_words(R"({"level":"panic","msg":"wal: crc mismatch"})"), "wal: crc mismatch");
}

TEST(EtcdTargetOptions, AreChecked) {
  Cluster none;
  const TargetFactory factory = etcd_target();
  Options options(factory.options);
  EXPECT_EQ(factory.make(none, options).error().code, ErrorCode::usage);
}

}  // namespace
}  // namespace ordeal
