#include "nemesis/programs/agent/name_probe.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "nemesis/programs/agent/probe_socket.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr const char* kOwnServer = "127.77.0.53";
constexpr int kDnsPort = 53;
constexpr int kOwnCode = 0;  // what the own server answers: no error, and no records
constexpr std::int64_t kWaitNs = 700'000'000;

// A query for the address of a name that nobody has (RFC 6761).
std::vector<unsigned char> query(unsigned id) {
  std::vector<unsigned char> out = {
      static_cast<unsigned char>(id >> 8U), static_cast<unsigned char>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (const char* label : {"ordeal-probe", "invalid"}) {
    out.push_back(static_cast<unsigned char>(std::strlen(label)));
    out.insert(out.end(), label, label + std::strlen(label));
  }
  out.insert(out.end(), {0, 0, 1, 0, 1});
  return out;
}

struct Asked {
  std::string server;
  int socket = -1;
  std::string what = "silent";
  int code = 0;
};

std::vector<std::string> configured_servers() {
  std::vector<std::string> out;
  for (const std::string& line : split(read_file("/etc/resolv.conf"), "\n")) {
    const auto words = split(line, " \t");
    if (words.size() >= 2 && words[0] == "nameserver") out.push_back(words[1]);
  }
  return out;
}

void ask(Asked& one, unsigned id) {
  sockaddr_in6 to{};
  if (!parse_address(one.server, kDnsPort, to)) return;
  one.socket = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (one.socket < 0 || ::connect(one.socket, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return;
  const auto bytes = query(id);
  const ssize_t sent = ::send(one.socket, bytes.data(), bytes.size(), 0);
  if (sent < 0 && errno == ECONNREFUSED) one.what = "refused";
}

void take_answer(Asked& one, unsigned id) {
  unsigned char bytes[512];
  const ssize_t n = ::recv(one.socket, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n < 0 && errno == ECONNREFUSED) one.what = "refused";
  if (n >= 12 && bytes[0] == (id >> 8U & 255U) && bytes[1] == (id & 255U)) {
    one.what = "answered";
    one.code = bytes[3] & 15;
  }
}

// The own name server: knows nothing, and says so at once.
void serve(int socket) {
  unsigned char bytes[512];
  sockaddr_in6 from{};
  socklen_t length = sizeof from;
  const ssize_t n = ::recvfrom(socket, bytes, sizeof bytes, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
  if (n < 12) return;
  bytes[2] |= 0x80;
  bytes[3] = kOwnCode;
  (void)::sendto(socket, bytes, static_cast<std::size_t>(n), 0, reinterpret_cast<sockaddr*>(&from), length);
}

int open_own_server() {
  sockaddr_in6 own{};
  const int out = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (out < 0 || !parse_address(kOwnServer, kDnsPort, own)) return out;
  (void)::bind(out, reinterpret_cast<sockaddr*>(&own), sizeof own);
  return out;
}

}  // namespace

int probe_names() {
  const int own = open_own_server();
  const unsigned id = static_cast<unsigned>(monotonic_ns() / 1000) & 0xffffU;
  std::vector<Asked> all;
  all.push_back({kOwnServer});
  for (const std::string& server : configured_servers()) all.push_back({server});
  for (Asked& one : all) ask(one, id);
  const std::int64_t end = monotonic_ns() + kWaitNs;
  const auto waiting = [](const Asked& one) { return one.socket >= 0 && one.what == "silent"; };
  while (monotonic_ns() < end && std::any_of(all.begin(), all.end(), waiting)) {
    std::vector<pollfd> ready = {{own, POLLIN, 0}};
    for (const Asked& one : all) ready.push_back({waiting(one) ? one.socket : -1, POLLIN, 0});
    if (::poll(ready.data(), ready.size(), 50) <= 0) continue;
    if (ready[0].revents != 0) serve(own);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (ready[i + 1].revents != 0) take_answer(all[i], id);
    }
  }
  for (const Asked& one : all) {
    std::printf("name %s %s %d\n", one.server.c_str(), one.what.c_str(), one.code);
    if (one.socket >= 0) ::close(one.socket);
  }
  if (own >= 0) ::close(own);
  return 0;
}

}  // namespace ordeal::agent
