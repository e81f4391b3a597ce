#include "nemesis/programs/disk/control.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "nemesis/programs/agent/proc.h"

namespace ordeal::disk {
namespace {

using agent::split;
using agent::to_integer;

bool address_of(const std::string& path, sockaddr_un& out) {
  out = {};
  out.sun_family = AF_UNIX;
  if (path.size() >= sizeof out.sun_path) return errno = ENAMETOOLONG, false;
  std::memcpy(out.sun_path, path.c_str(), path.size() + 1);
  return true;
}

// Until the other side says no more, or a line has ended.
std::string hear(int socket, bool one_line) {
  std::string out;
  char buffer[4096];
  while (!one_line || out.find('\n') == std::string::npos) {
    const ssize_t n = ::read(socket, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || out.size() > 1'000'000) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out;
}

bool say(int socket, const std::string& text) {
  return ::send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

}  // namespace

bool Control::open(const std::string& path) {
  sockaddr_un address{};
  if (!address_of(path, address)) return false;
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  (void)::unlink(path.c_str());
  return socket_ >= 0 && ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         ::listen(socket_, 16) == 0;
}

void Control::serve(Server& server) {
  while (!ended_) {
    const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) {
      ::usleep(10'000);
      continue;
    }
    const timeval patience{5, 0};
    (void)::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)say(client, obey(server, hear(client, true)));
    ::close(client);
  }
}

void Control::end() {
  ended_ = true;
  (void)::shutdown(socket_, SHUT_RDWR);  // accept returns
}

std::string Control::obey(Server& server, const std::string& line) {
  const auto words = split(line, " \n");
  const std::string verb = words.empty() ? "" : words[0];
  if (verb == "fault" && words.size() == 6) {
    FaultKind kind{};
    const std::int64_t delay_ns = to_integer(words[4]);
    if (!fault_kind(words[2], kind)) return "! no such kind of fault\n";
    if ((kind == FaultKind::slow || kind == FaultKind::slow_sync) != (delay_ns > 0))
      return "! slow faults, and no others, have a delay\n";
    server.faults.add(words[1], kind, static_cast<double>(to_integer(words[3])) / 1e6, delay_ns,
                      static_cast<std::uint64_t>(to_integer(words[5])));
    if (server.faults.refuse_writes()) server.forget_attributes();  // writes must be asked for
    // What the kernel has in its cache would never be read from here.
    if (kind == FaultKind::read_error || kind == FaultKind::corrupt_read) server.drop_caches();
    return "done\n";
  }
  if (verb == "fill" && words.size() == 3) {
    filled_by_ = words[1];
    server.limit(static_cast<std::uint64_t>(to_integer(words[2])));
    return "done\n";
  }
  if (verb == "clear" && words.size() == 2) {
    server.faults.clear(words[1]);
    if (filled_by_ == words[1]) server.tree.no_limit();
    server.drop_caches();  // what was read wrongly
    return "done\n";
  }
  if (verb == "calm") {
    server.faults.clear_all();
    server.tree.no_limit();
    server.gather();
    server.tree.sync_all();
    server.drop_caches();
    return "done\n";
  }
  if (verb == "lose" && words.size() == 3) {
    const LossMode mode = words[1] == "torn"        ? LossMode::torn
                          : words[1] == "reordered" ? LossMode::reordered
                                                    : LossMode::lost;
    return server.lose(mode, static_cast<std::uint64_t>(to_integer(words[2])));
  }
  if (verb == "status") {
    const Tree::Unsynced unsynced = server.tree.unsynced();
    return "unsynced bytes=" + std::to_string(unsynced.bytes) + " names=" + std::to_string(unsynced.names) +
           " late=" + std::to_string(server.late_bytes) + " gathering=" + (server.write_back ? "1" : "0") + "\n" +
           server.faults.report();
  }
  return "! not understood\n";
}

bool tell(const std::string& path, const std::string& line, std::string& answer) {
  sockaddr_un address{};
  if (!address_of(path, address)) return false;
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{20, 0};
  (void)::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const bool heard =
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && say(socket, line + "\n");
  const int error = errno;
  if (heard) answer = hear(socket, false);
  ::close(socket);
  errno = heard ? ETIMEDOUT : error;
  return heard && !answer.empty();
}

}  // namespace ordeal::disk
