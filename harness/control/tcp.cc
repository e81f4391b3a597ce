#include "harness/control/tcp.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <system_error>
#include <vector>

namespace ordeal {
namespace {

using std::chrono::milliseconds;

using Kind = ConnectFailure::Kind;

tl::unexpected<ConnectFailure> failed(Kind kind, std::string message) {
  return tl::unexpected(ConnectFailure{kind, std::move(message)});
}

std::string text_of(int error_number) { return std::generic_category().message(error_number); }

// One asynchronous look-up. glibc works on it in a thread of its own and writes into it until it is done, so the
// memory must stay where it is when the caller gives up.
struct Lookup {
  std::string host;
  std::string service;
  addrinfo hints{};
  gaicb request{};

  Lookup(const std::string& host_name, int port) : host(host_name), service(std::to_string(port)) {
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    request.ar_name = host.c_str();
    request.ar_service = service.c_str();
    request.ar_request = &hints;
  }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() {
    if (request.ar_result != nullptr) freeaddrinfo(request.ar_result);
  }
};

// Keeps look-ups that outlived their caller until glibc is done with them. Never destroyed: a look-up may still be
// running when the program ends.
void keep_until_done(std::unique_ptr<Lookup> lookup) {
  static auto* const mutex = new std::mutex;
  static auto* const abandoned = new std::list<std::unique_ptr<Lookup>>;
  const std::lock_guard lock(*mutex);
  abandoned->remove_if([](const auto& old) { return gai_error(&old->request) != EAI_INPROGRESS; });
  abandoned->push_back(std::move(lookup));
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::vector<Address> addresses_of(const addrinfo* list) {
  std::vector<Address> out;
  for (; list != nullptr; list = list->ai_next) {
    Address address;
    std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
    address.length = list->ai_addrlen;
    out.push_back(address);
  }
  return out;
}

tl::expected<std::vector<Address>, ConnectFailure> resolve(const std::string& host, int port, Deadline deadline) {
  // An address needs no look-up, hence no thread.
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* numeric = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &numeric) == 0) {
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(numeric, &freeaddrinfo);
    return addresses_of(numeric);
  }

  auto lookup = std::make_unique<Lookup>(host, port);
  gaicb* list[] = {&lookup->request};
  if (const int rc = getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr); rc != 0) {
    return failed(Kind::unknown_host, "looking up " + host + ": " + gai_strerror(rc));
  }
  while (gai_error(&lookup->request) == EAI_INPROGRESS) {
    if (deadline.passed()) {
      if (gai_cancel(&lookup->request) != EAI_CANCELED) keep_until_done(std::move(lookup));
      return failed(Kind::timeout, "the name server did not resolve " + host + " in time");
    }
    const auto left = deadline.remaining();
    const timespec wait{static_cast<time_t>(left.count() / 1000), static_cast<long>(left.count() % 1000) * 1'000'000L};
    const gaicb* const waiting[] = {&lookup->request};
    (void)gai_suspend(waiting, 1, &wait);
  }
  if (const int rc = gai_error(&lookup->request); rc != 0) {
    return failed(Kind::unknown_host, "the host name " + host + " does not resolve: " + gai_strerror(rc));
  }
  return addresses_of(lookup->request.ar_result);
}

// 0, or the errno of the failure; ETIMEDOUT also when the deadline passed.
int connect_to(const Address& address, Deadline deadline, Descriptor& out) {
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  // Commands are small packets that wait for an answer: Nagle's algorithm would add its delay to each.
  const int on = 1;
  (void)setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) {
    if (errno != EINPROGRESS) return errno;
    for (;;) {
      pollfd entry{socket.get(), POLLOUT, 0};
      const int ready = ::poll(&entry, 1, deadline.poll_ms());
      if (ready > 0) break;
      if (ready < 0 && errno != EINTR) return errno;
      if (deadline.passed()) return ETIMEDOUT;
    }
    int error_number = 0;
    socklen_t length = sizeof error_number;
    if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error_number, &length) != 0) return errno;
    if (error_number != 0) return error_number;
  }
  out = std::move(socket);
  return 0;
}

}  // namespace

tl::expected<Descriptor, ConnectFailure> try_connect_tcp(const std::string& host, int port, Deadline deadline) {
  auto addresses = resolve(host, port, deadline);
  if (!addresses) return tl::unexpected(std::move(addresses.error()));
  const std::string where = host + " port " + std::to_string(port);
  int error_number = EADDRNOTAVAIL;
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    const auto share = deadline.remaining() / static_cast<int>(addresses->size() - i);
    Descriptor socket;
    error_number = connect_to((*addresses)[i], deadline.within(share), socket);
    if (error_number == 0) return socket;
  }
  if (error_number == ETIMEDOUT) {
    return failed(Kind::timeout,
                  "no answer from " + where + " (host down, wrong address, or a firewall that drops packets)");
  }
  return failed(error_number == ECONNREFUSED ? Kind::refused : Kind::unreachable,
                "connecting to " + where + ": " + text_of(error_number));
}

Result<Descriptor> connect_tcp(const std::string& host, int port, Deadline deadline) {
  auto connected = try_connect_tcp(host, port, deadline);
  if (connected) return *std::move(connected);
  auto& failure = connected.error();
  if (failure.kind == Kind::timeout) return fail(ErrorCode::timeout, std::move(failure.message));
  if (failure.kind == Kind::refused) failure.message += " (is sshd running there, and is this its port?)";
  return fail(ErrorCode::unreachable, std::move(failure.message));
}

}  // namespace ordeal
