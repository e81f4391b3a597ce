// A server that sends without an end.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "targets/sql/connection.h"

namespace ordeal {
namespace {

// Lets one client in, and answers its first request with notices for as long as it listens.
class Flood {
 public:
  Flood() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(::bind(listener_, address, size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    EXPECT_EQ(::getsockname(listener_, address, &size), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Flood() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;
  [[nodiscard]] int port() const { return ntohs(address_.sin_port); }

 private:
  static bool say(int client, const std::string& text) {
    return ::send(client, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  void serve() const {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    std::array<char, 4096> request{};
    // Requests for encryption have eight bytes and are declined; then comes the start.
    while (::recv(client, request.data(), request.size(), 0) == 8) say(client, "N");
    say(client, std::string("R\0\0\0\x8\0\0\0\0", 9) + std::string("Z\0\0\0\x5I", 6));
    if (::recv(client, request.data(), request.size(), 0) > 0) {
      const std::string fields("SNOTICE\0VNOTICE\0C00000\0Mx\0\0", 27);
      const std::string notice = std::string("N\0\0\0", 4) + static_cast<char>(fields.size() + 4) + fields;
      std::string many;  // so many at a time that there is always something to read
      while (many.size() < 1'000'000) many += notice;
      while (say(client, many)) continue;
    }
    ::close(client);
  }

  int listener_;
  sockaddr_in address_{};
  std::thread thread_;
};

// There is always something to read: the deadline ends it all the same. (Of one second it took 2.6, when a wait looked
// at its deadline only when nothing came; how long is not asserted here.)
TEST(SqlConnection, AServerThatSendsWithoutAnEndDoesNotOutlastTheDeadline) {
  const Flood flood;
  SqlEndpoint endpoint;
  endpoint.address = "127.0.0.1";
  endpoint.port = flood.port();
  endpoint.user = "ordeal";
  endpoint.database = "ordeal";
  auto connection = SqlConnection::open(endpoint, Deadline::after_s(20));
  ASSERT_TRUE(connection) << connection.error().message;
  const SqlStatement statement{"SELECT 1"};
  const auto reply = (*connection)->run({&statement, 1}, Deadline::after_s(1));
  ASSERT_TRUE(reply.problem);
  EXPECT_TRUE(reply.problem->late) << reply.problem->message;
  EXPECT_FALSE((*connection)->usable());
}

}  // namespace
}  // namespace ordeal
