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

#include "support/free_port.h"

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
  // Connections that it has closed.
  [[nodiscard]] int closed() const { return closed_; }
  // From now on: replies byte by byte; a connection closed behind a reply that does not announce it.
  void drip() { drips_ = true; }
  void leave() { leaves_ = true; }

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
      ++closed_;
    }
  }
  void converse(int fd, const std::stop_token& stop) {
    while (read_request(fd, stop)) {
      const std::string reply = answer_(++requests_);
      if (reply.empty()) return;
      if (reply == "hang") continue;
      if (!say(fd, reply) || leaves_ || reply.find("Connection: close") != std::string::npos) return;
    }
  }
  // False: the client has heard enough.
  [[nodiscard]] bool say(int fd, std::string_view reply) const {
    const std::size_t piece = drips_ ? 1 : reply.size();
    for (; !reply.empty(); reply.remove_prefix(std::min(piece, reply.size()))) {
      const std::size_t size = std::min(piece, reply.size());
      if (send(fd, reply.data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) return false;
    }
    return true;
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
  std::atomic<int> closed_ = 0;
  std::atomic<bool> drips_ = false;
  std::atomic<bool> leaves_ = false;
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

// The trap: the server executes a request and then closes the kept-alive connection without a reply. Libraries
// by themselves send the request again.
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

// Chunks, interim replies, and a reply that ends with the connection; whole and byte by byte.
TEST(HttpSession, ReadsEveryShapeOfAReply) {
  const std::string chunked =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\n{\"\r\n4\r\na\":1\r\n1\r\n}\r\n"
      "0\r\n\r\n";
  RudeServer server([&](int request) {
    if (request % 3 == 0) return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\":1}");
    return request % 3 == 1 ? chunked : std::string("HTTP/1.1 204 No Content\r\n\r\n");
  });
  HttpSession session;
  for (int round = 0; round < 2; ++round) {
    for (const auto& [status, body] : {std::pair(201, "{\"a\":1}"), std::pair(204, ""), std::pair(200, "{\"a\":1}")}) {
      const auto reply = session.perform(post(server, false), in(10'000));
      ASSERT_TRUE(reply) << reply.error().message;
      EXPECT_EQ(reply->status, status);
      EXPECT_EQ(reply->body, body);
    }
    EXPECT_EQ(server.connections(), round + 1);
    server.drip();
  }
}

// A connection that the server closed while nobody asked anything is replaced: nothing of the request was on its way.
TEST(HttpSession, AConnectionClosedInBetweenIsReplaced) {
  RudeServer server([](int) { return kOk; });
  server.leave();
  HttpSession session;
  for (int i = 1; i <= 3; ++i) {
    const auto reply = session.perform(post(server, false), in(10'000));
    ASSERT_TRUE(reply) << reply.error().message;
    const auto limit = in(10'000);
    while (server.closed() < i && !limit.passed()) std::this_thread::sleep_for(milliseconds(1));
    ASSERT_EQ(server.closed(), i);
  }
  EXPECT_EQ(server.requests(), 3);
  EXPECT_EQ(server.connections(), 3);
}

// What a server says beyond its reply is not taken for the answer to the next request.
TEST(HttpSession, AReplyNobodyAskedForIsNoAnswer) {
  const auto numbered = [](int n) { return "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(n); };
  RudeServer server([&](int request) { return request == 1 ? numbered(1) + numbered(9) : numbered(request); });
  HttpSession session;
  for (int i = 1; i <= 3; ++i) {
    const auto reply = session.perform(post(server, false), in(10'000));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, std::to_string(i));
  }
}

TEST(HttpSession, RefusesWhatIsNoAddress) {
  HttpSession session;
  for (const char* url : {"https://127.0.0.1:1/", "http://", "http://:80/", "http://127.0.0.1:0/",
                          "http://127.0.0.1:x/", "http://127.0.0.1:65536/", "127.0.0.1:80"}) {
    const auto reply = session.perform({url, "{}"}, in(2000));
    ASSERT_FALSE(reply);
    EXPECT_FALSE(reply.error().sent);
    EXPECT_EQ(reply.error().kind, "bad-url") << url;
  }
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
