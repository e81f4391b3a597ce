#include "nemesis/programs/agent/probe_socket.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr int kTries = 50;  // 10 ms apart

int bind_once(int type, int port) {
  const int out = ::socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (out < 0) return -1;
  const int no = 0;
  const int yes = 1;
  (void)::setsockopt(out, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  if (type == SOCK_STREAM) (void)::setsockopt(out, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const int room = 8 << 20;
  (void)::setsockopt(out, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  sockaddr_in6 own{};
  own.sin6_family = AF_INET6;
  own.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (::bind(out, reinterpret_cast<sockaddr*>(&own), sizeof own) == 0 &&
      (type != SOCK_STREAM || ::listen(out, 256) == 0)) {
    return out;
  }
  const int problem = errno;
  ::close(out);
  errno = problem;
  return -1;
}

}  // namespace

bool parse_address(const std::string& text, int port, sockaddr_in6& out) {
  out = {};
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET6, text.c_str(), &out.sin6_addr) == 1) return true;
  return ::inet_pton(AF_INET6, ("::ffff:" + text).c_str(), &out.sin6_addr) == 1;
}

int open_probe_socket(int type, int port) {
  for (int i = 0; i < kTries; ++i) {
    const int out = bind_once(type, port);
    if (out >= 0 || errno != EADDRINUSE) return out;
    pause_ns(10'000'000);
  }
  errno = EADDRINUSE;
  return -1;
}

std::vector<OutFlow> parse_out_flows(const std::vector<std::string>& words, int port) {
  std::vector<OutFlow> out;
  for (const std::string& word : words) {
    const std::size_t middle = word.find('=');
    OutFlow one;
    one.flow = static_cast<int>(to_integer(word));
    if (middle != std::string::npos && parse_address(word.substr(middle + 1), port, one.to)) out.push_back(one);
  }
  return out;
}

}  // namespace ordeal::agent
