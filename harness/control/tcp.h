#pragma once
// A non-blocking TCP connection with a deadline on every step, resolving the name included.
//
// Thread-safety: functions may be called from many threads; a Socket belongs to one thread at a time.

#include <string>

#include "base/deadline.h"
#include "base/error.h"

namespace ordeal {

// Owns a file descriptor.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Socket() { reset(-1); }

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd);

 private:
  int fd_ = -1;
};

// Connects to the first address of `host` (a name, an IPv4 or an IPv6 address) that answers. The addresses share the
// deadline evenly, so that one black hole does not hide an address that works. Errors: unreachable, timeout.
[[nodiscard]] Result<Socket> connect_tcp(const std::string& host, int port, Deadline deadline);

}  // namespace ordeal
