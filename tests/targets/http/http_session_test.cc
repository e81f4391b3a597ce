// HttpSession against a small server that misbehaves on purpose.

#include "targets/http/http_session.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "tests/targets/etcd/local_etcd.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Deadline in(int ms) { return steady_clock::now() + milliseconds(ms); }

// A server on loopback that reads whole requests and asks `answer` what to do with the n-th of them, over all
// connections: a reply to send; empty: close the connection without a word; "hang": never answer.
class RudeServer {
 public:
  using Answer = std::function<std::string(int request)>;
  explicit RudeServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
  }
  ~RudeServer() {
    thread_.request_stop();
    thread_.join();
    close(listener_);
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  [[nodiscard]] int requests() const { return requests_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd wait{listener_, POLLIN, 0};
      if (poll(&wait, 1, 20) <= 0) continue;
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connections_;
      converse(fd, stop);
      close(fd);
    }
  }
  void converse(int fd, const std::stop_token& stop) {
    while (read_request(fd, stop)) {
      const std::string reply = answer_(++requests_);
      if (reply.empty()) return;
      if (reply == "hang") continue;
      EXPECT_EQ(send(fd, reply.data(), reply.size(), MSG_NOSIGNAL), static_cast<ssize_t>(reply.size()));
      if (reply.find("Connection: close") != std::string::npos) return;
    }
  }
  static bool read_request(int fd, const std::stop_token& stop) {
    std::string got;
    while (!stop.stop_requested()) {
      pollfd wait{fd, POLLIN, 0};
      if (poll(&wait, 1, 20) <= 0) continue;
      char buffer[4096];
      const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0) return false;
      got.append(buffer, static_cast<std::size_t>(n));
      const std::size_t body = got.find("\r\n\r\n");
      if (body == std::string::npos) continue;
      const std::size_t length = got.find("Content-Length: ");
      const std::size_t bytes = length == std::string::npos ? 0 : std::stoul(got.substr(length + 16));
      if (got.size() >= body + 4 + bytes) return true;
    }
    return false;
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> requests_ = 0;
  std::atomic<int> connections_ = 0;
  std::jthread thread_;
};

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

HttpRequest post(const RudeServer& server, bool idempotent) { return {server.url(), "{\"a\":1}", false, idempotent}; }

TEST(HttpSession, KeepsItsConnection) {
  RudeServer server([](int) { return kOk; });
  HttpSession session;
  for (int i = 0; i < 5; ++i) {
    const auto reply = session.perform(post(server, false), in(2000));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->body, "{}");
  }
  EXPECT_EQ(server.connections(), 1);
}

// The trap: the server executes a request and then closes the kept-alive connection without a reply. libcurl by
// itself sends the request again.
TEST(HttpSession, NeverSendsTwiceWhatIsNotIdempotent) {
  RudeServer server([](int request) { return request == 2 ? std::string() : kOk; });
  HttpSession session;
  ASSERT_TRUE(session.perform(post(server, false), in(2000)));
  const auto second = session.perform(post(server, false), in(2000));
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().sent);
  EXPECT_EQ(second.error().kind, "connection-closed");
  EXPECT_EQ(server.requests(), 2);
  // The session goes on with a new connection.
  EXPECT_TRUE(session.perform(post(server, false), in(2000)));
  EXPECT_EQ(server.requests(), 3);
}

// The same server, to show that the test above does exercise the repetition.
TEST(HttpSession, RepeatsWhatIsIdempotent) {
  RudeServer server([](int request) { return request == 2 ? std::string() : kOk; });
  HttpSession session;
  ASSERT_TRUE(session.perform(post(server, true), in(2000)));
  EXPECT_TRUE(session.perform(post(server, true), in(2000)));
  EXPECT_EQ(server.requests(), 3);
}

TEST(HttpSession, AConnectionClosedOnTheFirstRequestIsUnknown) {
  RudeServer server([](int) { return std::string(); });
  HttpSession session;
  const auto reply = session.perform(post(server, false), in(2000));
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().sent);
  EXPECT_EQ(reply.error().kind, "connection-closed");
  EXPECT_EQ(server.requests(), 1);
}

TEST(HttpSession, ATruncatedReplyIsUnknown) {
  RudeServer server(
      [](int) { return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 50\r\n\r\n{}"); });
  HttpSession session;
  const auto reply = session.perform(post(server, false), in(2000));
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().sent);
  EXPECT_EQ(reply.error().kind, "partial-reply");
}

// 64 MiB are read, and not a byte more.
TEST(HttpSession, AReplyHasALargestSize) {
  constexpr std::size_t kMost = 64U << 20U;
  for (const std::size_t bytes : {kMost, kMost + 1}) {
    RudeServer server([bytes](int) {
      return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'x');
    });
    HttpSession session;
    const auto reply = session.perform(post(server, false), in(60'000));
    ASSERT_EQ(reply.has_value(), bytes == kMost);
    if (reply) {
      EXPECT_EQ(reply->body.size(), bytes);
    } else {
      EXPECT_TRUE(reply.error().sent);
      EXPECT_EQ(reply.error().kind, "reply-too-large");
    }
  }
}

TEST(HttpSession, WhatIsNoHttpIsANetworkErrorAfterSending) {
  RudeServer server([](int) { return std::string("220 this is no HTTP\r\n\r\n"); });
  HttpSession session;
  const auto reply = session.perform(post(server, false), in(2000));
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().sent);
  EXPECT_EQ(reply.error().kind, "network");
}

TEST(HttpSession, SilenceEndsAtTheDeadline) {
  RudeServer server([](int) { return std::string("hang"); });
  HttpSession session;
  const auto start = steady_clock::now();
  const auto reply = session.perform(post(server, false), in(200));
  const auto took = steady_clock::now() - start;
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().sent);
  EXPECT_EQ(reply.error().kind, "timeout");
  EXPECT_GE(took, milliseconds(195));
  EXPECT_LT(took, milliseconds(1000));
}

TEST(HttpSession, ARefusedConnectionSentNothing) {
  HttpSession session;
  const int port = testing::free_port();
  const auto reply = session.perform({"http://127.0.0.1:" + std::to_string(port) + "/", "{}"}, in(2000));
  ASSERT_FALSE(reply);
  EXPECT_FALSE(reply.error().sent);
  EXPECT_EQ(reply.error().kind, "connection-refused");
  EXPECT_NE(reply.error().message.find(std::to_string(port)), std::string::npos);
}

TEST(HttpSession, APassedDeadlineSendsNothing) {
  RudeServer server([](int) { return kOk; });
  HttpSession session;
  const auto reply = session.perform(post(server, false), in(-1));
  ASSERT_FALSE(reply);
  EXPECT_FALSE(reply.error().sent);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpSession, TakesNoProxyFromTheEnvironment) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  RudeServer server([](int) { return kOk; });
  HttpSession session;
  const auto reply = session.perform(post(server, false), in(2000));
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
  EXPECT_TRUE(reply) << reply.error().message;
}

TEST(HostPort, BracketsIpv6) {
  EXPECT_EQ(host_port("10.0.0.1", 2379), "10.0.0.1:2379");
  EXPECT_EQ(host_port("fd00::1", 2379), "[fd00::1]:2379");
  EXPECT_EQ(host_port("db1.example", 80), "db1.example:80");
}

}  // namespace
}  // namespace ordeal
