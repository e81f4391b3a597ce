#include "tests/targets/postgres/message_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>

#include "base/deadline.h"

namespace ordeal::testing {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  return out;
}

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) out = out << 8 | static_cast<unsigned char>(bytes[at + i]);
  return out;
}

void at_once(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

MessageProxy::MessageProxy(int server_port, Point point, std::function<void(int backend)> called)
    : server_port_(server_port), point_(point), called_(std::move(called)) {
  listener_ = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_.get(), 1) != 0)
    return;
  getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this] { run(); });
}

void MessageProxy::send(const Side& to, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(to.socket.get(), bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return;  // it has hung up
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

void MessageProxy::read(Side& side) {
  char bytes[4096];
  const ssize_t got = recv(side.socket.get(), bytes, sizeof bytes, 0);
  if (got <= 0)
    side.ended = true;
  else
    side.pending.append(bytes, static_cast<std::size_t>(got));
}

std::size_t MessageProxy::whole(const Side& side) const {
  const std::size_t type = &side == &client_ && side.first ? 0 : 1;
  if (side.pending.size() < type + 4) return 0;
  const std::size_t length = type + number_at(side.pending, type);
  return side.pending.size() < length ? 0 : length;
}

// Until the client gives up.
void MessageProxy::stall() {
  const Deadline deadline = Deadline::after_s(10);
  while (!client_.ended && !deadline.passed()) {
    pollfd one{client_.socket.get(), POLLIN, 0};
    if (poll(&one, 1, 100) > 0) read(client_);
  }
}

void MessageProxy::interfere() {
  reached_ = true;
  switch (point_.act) {
    case Act::cut:
      shutdown(client_.socket.get(), SHUT_RDWR);
      shutdown(server_.socket.get(), SHUT_RDWR);
      client_.ended = server_.ended = true;
      break;
    case Act::stall:
      stall();
      break;
    case Act::call:
      called_(backend_);
      break;
  }
}

void MessageProxy::pass(Side& from, Side& to, std::size_t length) {
  const std::string message = from.pending.substr(0, length);
  from.pending.erase(0, length);
  const bool from_client = &from == &client_;
  const bool here = ready_ && from_client == point_.from_client && from.messages++ == point_.message;
  const std::size_t half = here && point_.place == Place::within ? length / 2 : 0;
  if (here && point_.place == Place::before) interfere();
  if (half > 0) {
    send(to, message.data(), half);
    interfere();
  }
  send(to, message.data() + half, length - half);
  if (here && point_.place == Place::after) interfere();
  if (from_client) {
    from.first = false;
  } else {
    if (message[0] == 'K') backend_ = static_cast<int>(number_at(message, 5));
    ready_ = ready_ || message[0] == 'Z';
  }
}

void MessageProxy::pass_on(Side& from, Side& to) {
  while (const std::size_t length = whole(from)) pass(from, to, length);
}

void MessageProxy::run() {
  const Deadline deadline = Deadline::after_s(10);
  pollfd waiting{listener_.get(), POLLIN, 0};
  if (poll(&waiting, 1, deadline.poll_ms()) <= 0) return;
  client_.socket = Descriptor(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  listener_.reset();  // one connection: whoever comes back is refused, and does not wait
  server_.socket = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(server_port_);
  if (connect(server_.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
  at_once(client_.socket.get());
  at_once(server_.socket.get());
  while (!deadline.passed() && !server_.ended) {
    // Who has hung up is not asked again.
    pollfd both[] = {{client_.ended ? -1 : client_.socket.get(), POLLIN, 0}, {server_.socket.get(), POLLIN, 0}};
    if (poll(both, 2, 100) <= 0) continue;
    if (both[0].revents != 0) read(client_);
    if (both[1].revents != 0) read(server_);
    pass_on(client_, server_);
    pass_on(server_, client_);
    if (client_.ended) shutdown(server_.socket.get(), SHUT_WR);
  }
  shutdown(client_.socket.get(), SHUT_RDWR);
}

}  // namespace ordeal::testing
