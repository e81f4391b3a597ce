#include "targets/log/server/node/peers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/deadline.h"

namespace ordeal::log::node {
namespace {

constexpr auto kConnectPatience = std::chrono::milliseconds(1000);
constexpr auto kWritePatience = std::chrono::milliseconds(5000);
constexpr auto kReconnectPause = std::chrono::milliseconds(50);
constexpr int kLookForStopMs = 100;
constexpr unsigned kUnacknowledgedMs = 1500;
constexpr auto kSilence = std::chrono::seconds(60);  // then a connection of others is closed
constexpr std::size_t kReadBytes = 256 * 1024;

struct AddressesFree {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, AddressesFree>;

Result<Addresses> resolve(const HostPort& where, bool passive) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = passive ? AI_PASSIVE : 0;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(where.host.empty() ? nullptr : where.host.c_str(), where.port.c_str(), &hints, &list);
  if (failed != 0) {
    return fail(ErrorCode::usage, fmt::format("{}:{}: {}", where.host, where.port, gai_strerror(failed)));
  }
  return Addresses(list);
}

void send_at_once(int fd) {
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // After a partition TCP would wait for about as long as it lasted before it sends again; a new connection does not.
  (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs, sizeof kUnacknowledgedMs);
}

// Waits until the socket can be written to, or the stop.
bool await(int fd, short events, const std::stop_token& stop, Deadline deadline) {
  while (!stop.stop_requested() && !deadline.passed()) {
    pollfd one{fd, events, 0};
    const int ready = poll(&one, 1, std::min(kLookForStopMs, deadline.poll_ms()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
  return false;
}

Descriptor connect_to(const std::string& address, const std::stop_token& stop) {
  const auto where = parse_host_port(address);
  if (!where) return {};
  const auto list = resolve(*where, false);
  if (!list) return {};
  for (const addrinfo* one = list->get(); one != nullptr; one = one->ai_next) {
    Descriptor fd(socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol));
    if (!fd) continue;
    if (connect(fd.get(), one->ai_addr, one->ai_addrlen) != 0) {
      if (errno != EINPROGRESS || !await(fd.get(), POLLOUT, stop, Deadline::after(kConnectPatience))) continue;
      int problem = 0;
      socklen_t size = sizeof problem;
      if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) continue;
    }
    send_at_once(fd.get());
    return fd;
  }
  return {};
}

bool write_all(int fd, std::string_view bytes, const std::stop_token& stop) {
  const Deadline deadline = Deadline::after(kWritePatience);
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return false;
    } else if (!await(fd, POLLOUT, stop, deadline)) {
      return false;
    }
  }
  return true;
}

// The other side never speaks: whatever can be read is its end.
bool ended(int fd) {
  char byte = 0;
  const ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  return got >= 0 || (errno != EAGAIN && errno != EINTR);
}

}  // namespace

Result<HostPort> parse_host_port(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size()) {
    return fail(ErrorCode::usage, fmt::format("\"{}\": HOST:PORT was expected", text));
  }
  HostPort out{text.substr(0, colon), text.substr(colon + 1)};
  if (out.host.size() >= 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  return out;
}

Result<std::unique_ptr<Peers>> Peers::start(const std::string& listen, Hello self, Received received) {
  const auto where = parse_host_port(listen);
  if (!where) return fail(where.error());
  const auto list = resolve(*where, true);
  if (!list) return fail(list.error());
  std::string problem = "no address";
  for (const addrinfo* one = list->get(); one != nullptr; one = one->ai_next) {
    Descriptor fd(socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol));
    const int on = 1;
    if (fd) (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd && bind(fd.get(), one->ai_addr, one->ai_addrlen) == 0 && ::listen(fd.get(), 64) == 0) {
      return std::unique_ptr<Peers>(new Peers(std::move(fd), std::move(self), std::move(received)));
    }
    problem = std::strerror(errno);
  }
  return fail(ErrorCode::io, fmt::format("listening for peers at {}: {}", listen, problem));
}

Peers::Peers(Descriptor listener, Hello self, Received received)
    : listener_(std::move(listener)), self_(std::move(self)), received_(std::move(received)) {
  acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_connections(stop); });
}

Peers::~Peers() {
  acceptor_.request_stop();
  acceptor_.join();
  std::map<raft::NodeId, std::unique_ptr<Peer>> peers;
  std::list<Inbound> inbound;
  {
    const std::lock_guard lock(mutex_);
    peers.swap(peers_);
    for (auto& one : inbound_) one.reader.request_stop();
    for (auto& [id, peer] : peers) peer->sender.request_stop();
  }
  peers.clear();  // joins
  for (auto& one : inbound_) one.reader.join();
}

void Peers::set_address(raft::NodeId peer, const std::string& address) {
  if (peer == self_.from || address.empty()) return;
  const std::lock_guard lock(mutex_);
  auto& entry = peers_[peer];
  if (!entry) {
    entry = std::make_unique<Peer>();
    entry->address = address;
    entry->sender = std::jthread([this, &to = *entry](const std::stop_token& stop) { send_to(stop, to); });
  }
  entry->address = address;
}

void Peers::forget(raft::NodeId peer) {
  std::unique_ptr<Peer> gone;
  {
    const std::lock_guard lock(mutex_);
    told_.erase(peer);
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    gone = std::move(found->second);
    peers_.erase(found);
  }
  gone->sender.request_stop();
}

bool Peers::send(raft::NodeId to, FrameKind kind, std::string_view payload) {
  if (payload.size() + kFrameHeaderBytes >= kMaxFrameBytes) return false;
  std::string bytes = frame(kind, payload);
  const std::lock_guard lock(mutex_);
  const auto found = peers_.find(to);
  if (found == peers_.end() || found->second->bytes + bytes.size() > kMaxQueuedBytes) return false;
  found->second->bytes += bytes.size();
  found->second->queue.push_back(std::move(bytes));
  found->second->wake.notify_one();
  return true;
}

std::string Peers::told_by(raft::NodeId peer) const {
  const std::lock_guard lock(mutex_);
  const auto found = told_.find(peer);
  return found == told_.end() ? "" : found->second;
}

void Peers::send_to(const std::stop_token& stop, Peer& peer) {
  while (!stop.stop_requested()) {
    std::string address;
    {
      std::unique_lock lock(mutex_);
      if (!peer.wake.wait(lock, stop, [&] { return !peer.queue.empty(); })) return;
      address = peer.address;
    }
    const Descriptor socket = connect_to(address, stop);
    if (socket && write_all(socket.get(), frame(FrameKind::hello, encode(self_)), stop) &&
        write_frames(stop, peer, socket)) {
      continue;
    }
    // What waited while nobody was there is stale: consensus sends anew, and who forwarded hears nothing.
    std::unique_lock lock(mutex_);
    peer.queue.clear();
    peer.bytes = 0;
    (void)peer.wake.wait_for(lock, stop, kReconnectPause, [] { return false; });
  }
}

// Until the connection breaks (false) or the peer has another address (true).
bool Peers::write_frames(const std::stop_token& stop, Peer& peer, const Descriptor& socket) {
  std::string address;
  while (!stop.stop_requested()) {
    std::string bytes;
    {
      std::unique_lock lock(mutex_);
      if (address.empty()) address = peer.address;
      if (address != peer.address) return true;
      (void)peer.wake.wait_for(lock, stop, std::chrono::milliseconds(kLookForStopMs),
                               [&] { return !peer.queue.empty(); });
      while (!peer.queue.empty() && bytes.size() < kReadBytes) {
        bytes += peer.queue.front();
        peer.bytes -= peer.queue.front().size();
        peer.queue.pop_front();
      }
    }
    if (ended(socket.get()) || !write_all(socket.get(), bytes, stop)) return false;
  }
  return false;
}

void Peers::accept_connections(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!await(listener_.get(), POLLIN, stop, Deadline::after(std::chrono::seconds(1)))) {
      reap();
      continue;
    }
    Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      std::this_thread::sleep_for(kReconnectPause);  // out of descriptors, perhaps
      continue;
    }
    reap();
    const std::lock_guard lock(mutex_);
    if (inbound_.size() >= kMaxConnections) continue;
    Inbound& one = inbound_.emplace_back();
    one.reader = std::jthread([this, &one, fd = std::move(socket)](const std::stop_token& done) {
      read_from(done, fd);
      const std::lock_guard guard(mutex_);
      one.done = true;
    });
  }
}

void Peers::reap() {
  std::list<Inbound> over;
  const std::lock_guard lock(mutex_);
  for (auto at = inbound_.begin(); at != inbound_.end();) {
    const auto one = at++;
    if (one->done) over.splice(over.end(), inbound_, one);
  }
}

void Peers::read_from(const std::stop_token& stop, const Descriptor& socket) {
  FrameReader frames;
  raft::NodeId from = raft::kNobody;
  std::string buffer(kReadBytes, '\0');
  while (!stop.stop_requested()) {
    if (!await(socket.get(), POLLIN, stop, Deadline::after(kSilence))) return;
    const ssize_t got = recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got == 0) return;
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return;
    }
    frames.add(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
    while (auto next = frames.next()) {
      if (!take(*next, from)) return;
      if (next->kind != FrameKind::hello) received_(from, *std::move(next));
    }
    if (!frames.broken().empty()) return;
  }
}

// Whether the stream may go on.
bool Peers::take(const FrameReader::Frame& frame, raft::NodeId& from) {
  if (frame.kind != FrameKind::hello) return from != raft::kNobody;
  const auto hello = decode_hello(frame.payload);
  if (!hello || from != raft::kNobody || hello->cluster != self_.cluster || hello->from == self_.from) return false;
  from = hello->from;
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    told_[from] = hello->addresses;
    known = peers_.contains(from);
  }
  if (!known) set_address(from, hello->addresses.substr(0, hello->addresses.find(' ')));
  return true;
}

}  // namespace ordeal::log::node
