#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "nemesis/programs/agent/link_probe.h"
#include "nemesis/programs/agent/probe_socket.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr int kConnectMs = 2000;  // the other end may start a little later
constexpr int kAnswerMs = 400;
constexpr int kUnanswered = 3;  // messages, until it counts as silent: the other end may have to tell of a reset
constexpr int kCloseMs = 1000;
constexpr int kMessage = 8;  // bytes

bool wait_for(int socket, short what, std::int64_t ms) {
  pollfd ready{socket, what, 0};
  return ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(ms, 0))) > 0;
}

// A connected socket, or -1.
int connect_to(const sockaddr_in6& to) {
  const std::int64_t end = monotonic_ns() + kConnectMs * kNsPerMs;
  while (monotonic_ns() < end) {
    const int out = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out < 0) return -1;
    int problem = ::connect(out, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 ? 0 : errno;
    if (problem == EINPROGRESS && wait_for(out, POLLOUT, (end - monotonic_ns()) / kNsPerMs)) {
      socklen_t size = sizeof problem;
      (void)::getsockopt(out, SOL_SOCKET, SO_ERROR, &problem, &size);
    }
    if (problem == 0) return out;
    ::close(out);
    if (problem != ECONNREFUSED) return -1;
    pause_ns(20 * kNsPerMs);
  }
  return -1;
}

bool is_reset(ssize_t result) { return result < 0 && (errno == ECONNRESET || errno == EPIPE); }

// One message and its echo: "" when it came, else how the conversation ended.
const char* exchange(int socket) {
  unsigned char bytes[kMessage] = {};
  for (int i = 0; i < kUnanswered; ++i) {
    if (is_reset(::send(socket, bytes, sizeof bytes, MSG_NOSIGNAL))) return "reset";
    if (!wait_for(socket, POLLIN, kAnswerMs)) continue;
    const ssize_t n = ::recv(socket, bytes, sizeof bytes, 0);
    if (is_reset(n)) return "reset";
    return n > 0 ? "" : "closed";
  }
  return "silent";
}

// Says that nothing more comes and waits until the other end has understood.
const char* close_both_ends(int socket) {
  if (::shutdown(socket, SHUT_WR) != 0) return errno == ENOTCONN ? "reset" : "closed";
  const std::int64_t end = monotonic_ns() + kCloseMs * kNsPerMs;
  unsigned char rest[256];
  while (wait_for(socket, POLLIN, (end - monotonic_ns()) / kNsPerMs)) {
    const ssize_t n = ::recv(socket, rest, sizeof rest, 0);
    if (is_reset(n)) return "reset";
    if (n == 0) return "closed";
    if (n < 0 && errno != EAGAIN) return "closed";
    if (monotonic_ns() >= end) break;
  }
  return "hung";
}

void converse(const OutFlow& flow, int count, std::int64_t end) {
  const int socket = connect_to(flow.to);
  int done = 0;
  const char* how = socket < 0 ? "unreachable" : "";
  while (how[0] == 0 && done < count && monotonic_ns() < end - kCloseMs * kNsPerMs) {
    how = exchange(socket);
    if (how[0] == 0) ++done;
  }
  if (how[0] == 0) how = close_both_ends(socket);
  if (socket >= 0) ::close(socket);
  std::printf("conversation %d %d %s\n", flow.flow, done, how);
  std::fflush(stdout);
}

// Echoes what arrives on a connection; false when it has ended.
bool serve(int connection) {
  unsigned char bytes[4096];
  const ssize_t n = ::recv(connection, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n > 0) {
    (void)::send(connection, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL | MSG_DONTWAIT);
    return true;
  }
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

}  // namespace

int probe_connections(const ProbePlan& plan) {
  const int listener = open_probe_socket(SOCK_STREAM, plan.port);
  if (listener < 0) {
    std::fprintf(stderr, "TCP port %d: %s\n", plan.port, std::strerror(errno));
    return 1;
  }
  const std::int64_t end = monotonic_ns() + plan.limit_ms * kNsPerMs;
  std::vector<int> children;
  for (const OutFlow& flow : parse_out_flows(plan.out, plan.port)) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(listener);
      converse(flow, plan.count, end);
      ::_exit(0);
    }
    if (child > 0) children.push_back(child);
  }
  // Serves until its own flows are done and those of others have ended.
  std::vector<pollfd> open = {{listener, POLLIN, 0}};
  std::size_t ended = 0;
  while (monotonic_ns() < end && (!children.empty() || ended < plan.in.size())) {
    if (::poll(open.data(), open.size(), 20) > 0) {
      for (std::size_t i = open.size(); i-- > 1;) {
        if (open[i].revents == 0 || serve(open[i].fd)) continue;
        ::close(open[i].fd);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
        ++ended;
      }
      if (open[0].revents != 0) {
        const int fresh = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fresh >= 0) open.push_back({fresh, POLLIN, 0});
      }
    }
    std::erase_if(children, [](int child) { return ::waitpid(child, nullptr, WNOHANG) != 0; });
  }
  for (const int child : children) {
    ::kill(child, SIGKILL);
    (void)::waitpid(child, nullptr, 0);
  }
  return 0;
}

}  // namespace ordeal::agent
