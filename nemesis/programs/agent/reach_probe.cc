#include "nemesis/programs/agent/reach_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

// So many at once; more are asked in further rounds of the same length.
constexpr std::size_t kAtOnce = 1000;

struct Asked {
  const std::string* address = nullptr;
  int socket = -1;
  std::int64_t began_ns = 0;
  const char* what = "silent";
  std::int64_t took_us = 0;
};

struct Destination {
  sockaddr_storage to{};
  socklen_t length = 0;  // 0: it is no address
};

Destination destination(const std::string& text, int port) {
  Destination out;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&out.to);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&out.to);
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    out.length = sizeof *v4;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    out.length = sizeof *v6;
  }
  return out;
}

// What the outcome of connect() says of the way there.
const char* meaning(int error) {
  switch (error) {
    case 0:
    case ECONNREFUSED:
    case ECONNRESET:
      return "open";
    case ETIMEDOUT:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return "silent";
    default:
      return "unknown";
  }
}

void settle(Asked& one, int error) {
  one.what = meaning(error);
  one.took_us = (monotonic_ns() - one.began_ns) / 1000;
  if (one.socket < 0) return;
  const linger reset{1, 0};
  (void)::setsockopt(one.socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(one.socket);
  one.socket = -1;
}

void ask(Asked& one, int port) {
  one.began_ns = monotonic_ns();
  const Destination there = destination(*one.address, port);
  if (there.length > 0) one.socket = ::socket(there.to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (one.socket < 0) return settle(one, EINVAL);
  const int seconds = 1;
  (void)::setsockopt(one.socket, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
  if (::connect(one.socket, reinterpret_cast<const sockaddr*>(&there.to), there.length) == 0) return settle(one, 0);
  if (errno != EINPROGRESS) settle(one, errno);
}

// Takes what has been answered, waiting for the first of it at most so long.
void take_answers(std::vector<Asked>& all, std::vector<pollfd>& ready, int wait_ms) {
  ready.clear();
  for (const Asked& one : all) ready.push_back({one.socket, POLLOUT, 0});
  if (::poll(ready.data(), ready.size(), wait_ms) <= 0) return;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (ready[i].fd < 0 || ready[i].revents == 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(all[i].socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    settle(all[i], error);
  }
}

void ask_all(std::vector<Asked>& all, int port, int wait_ms) {
  std::vector<pollfd> ready;
  for (std::size_t i = 0; i < all.size(); ++i) {
    ask(all[i], port);
    if (i % 64 == 63) take_answers(all, ready, 0);
  }
  const auto waiting = [&] {
    return std::any_of(all.begin(), all.end(), [](const Asked& one) { return one.socket >= 0; });
  };
  const std::int64_t end = monotonic_ns() + std::int64_t{wait_ms} * 1'000'000;
  for (std::int64_t left = wait_ms; left > 0 && waiting(); left = (end - monotonic_ns() + 999'999) / 1'000'000) {
    take_answers(all, ready, static_cast<int>(left));
  }
  // Whoever was not given the processor for a while finds the answers here.
  take_answers(all, ready, 0);
  for (Asked& one : all) {
    if (one.socket >= 0) settle(one, ETIMEDOUT);
  }
}

}  // namespace

int probe_reach(int port, int wait_ms, const std::vector<std::string>& addresses) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
  }
  const std::size_t spare = 16;
  const std::size_t at_once =
      files.rlim_cur > spare + 1 ? std::min<std::size_t>(kAtOnce, files.rlim_cur - spare) : kAtOnce;
  for (std::size_t begin = 0; begin < addresses.size(); begin += at_once) {
    std::vector<Asked> round;
    for (std::size_t i = begin; i < std::min(begin + at_once, addresses.size()); ++i) {
      round.emplace_back();
      round.back().address = &addresses[i];
    }
    ask_all(round, port, wait_ms);
    for (const Asked& one : round) {
      std::printf("reach %s %s %lld\n", one.address->c_str(), one.what, static_cast<long long>(one.took_us));
    }
  }
  return 0;
}

}  // namespace ordeal::agent
