#include "nemesis/network/client_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/descriptor.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> look_up(const std::string& address, int port, int type) {
  addrinfo hints{};
  hints.ai_socktype = type;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return fail(ErrorCode::unreachable, fmt::format("{}: {}", address, ::gai_strerror(code)));
  return Addresses(found);
}

// A connection that is being opened.
class Attempt {
 public:
  Attempt(std::size_t node, const addrinfo& to) : node_(node) {
    fd_.reset(::socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_) {
      problem_ = std::strerror(errno);
      return;
    }
    if (::connect(fd_.get(), to.ai_addr, to.ai_addrlen) == 0 || errno == ECONNREFUSED) {
      answer();
    } else if (errno != EINPROGRESS) {
      problem_ = std::strerror(errno);
    }
  }
  [[nodiscard]] bool open() const { return answer_ms_ < 0 && problem_.empty(); }
  [[nodiscard]] pollfd wish() const { return {open() ? fd_.get() : -1, POLLOUT, 0}; }
  void look(const pollfd& seen) {
    if (!open() || seen.revents == 0) return;
    int error = 0;
    socklen_t size = sizeof error;
    (void)::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0 || error == ECONNREFUSED || error == ECONNRESET) {
      answer();
    } else {
      problem_ = std::strerror(error);
    }
  }
  void add_to(ClientAnswers& out, std::vector<double>& times_ms) const {
    ++out.asked;
    if (answer_ms_ >= 0) {
      ++out.answered;
      times_ms.push_back(answer_ms_);
    }
    if (!problem_.empty()) out.problem = problem_;
  }
  [[nodiscard]] std::size_t node() const { return node_; }

 private:
  void answer() { answer_ms_ = std::chrono::duration<double, std::milli>(Clock::now() - began_).count(); }
  std::size_t node_;
  Clock::time_point began_ = Clock::now();
  Descriptor fd_;
  double answer_ms_ = -1;  // negative: none yet
  std::string problem_;
};

void await(std::vector<Attempt>& attempts, Deadline until) {
  std::vector<pollfd> fds(attempts.size());
  while (!until.passed()) {
    bool any = false;
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      fds[i] = attempts[i].wish();
      any = any || attempts[i].open();
    }
    if (!any || (::poll(fds.data(), fds.size(), until.poll_ms()) < 0 && errno != EINTR)) return;
    for (std::size_t i = 0; i < attempts.size(); ++i) attempts[i].look(fds[i]);
  }
}

}  // namespace

std::vector<ClientAnswers> probe_from_here(const std::vector<std::string>& addresses, int port, int times,
                                           int wait_ms) {
  std::vector<ClientAnswers> out(addresses.size());
  std::vector<Attempt> attempts;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto found = look_up(addresses[i], port, SOCK_STREAM);
    if (!found) {
      out[i].problem = found.error().message;
      continue;
    }
    for (int n = 0; n < times; ++n) attempts.emplace_back(i, **found);
  }
  await(attempts, Deadline::after(std::chrono::milliseconds(wait_ms)));
  std::vector<std::vector<double>> times_ms(addresses.size());
  for (const Attempt& one : attempts) one.add_to(out[one.node()], times_ms[one.node()]);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (times_ms[i].empty()) continue;
    std::sort(times_ms[i].begin(), times_ms[i].end());
    out[i].median_ms = times_ms[i][times_ms[i].size() / 2];
  }
  return out;
}

Result<std::string> source_address_to(const std::string& address) {
  const auto found = look_up(address, 9, SOCK_DGRAM);
  if (!found) return fail(found.error());
  const int fd = ::socket((*found)->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  // Of datagrams a connection only chooses the route; nothing is sent.
  const bool known = fd >= 0 && ::connect(fd, (*found)->ai_addr, (*found)->ai_addrlen) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  std::array<char, NI_MAXHOST> text{};
  if (!known || ::getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text.data(), text.size(), nullptr, 0,
                              NI_NUMERICHOST) != 0) {
    return fail(ErrorCode::unreachable, fmt::format("there is no way to {}: {}", address, std::strerror(error)));
  }
  return std::string(text.data());
}

}  // namespace ordeal
