#include "support/free_port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

namespace ordeal::testing {
namespace {

constexpr int kFirst = 10'000, kLast = 31'999;

// Keeps the number for this process: an abstract name that only one socket can have, gone with the process.
bool reserve(int port) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "ordeal-test-port-" + std::to_string(port);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;  // kept open
  if (fd >= 0) ::close(fd);
  return false;
}

bool is_free(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool free = fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0) ::close(fd);
  return free;
}

}  // namespace

int free_port() {
  std::random_device random;
  for (int i = 0; i < 1'000; ++i) {
    const int port = kFirst + static_cast<int>(random() % (kLast - kFirst + 1));
    if (reserve(port) && is_free(port)) return port;
  }
  std::fputs("free_port: no port of loopback is free\n", stderr);
  std::abort();
}

}  // namespace ordeal::testing
