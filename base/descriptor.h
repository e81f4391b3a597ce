#pragma once
// Descriptor: owns a file descriptor (a file, a pipe's end, a socket, a pidfd) and closes it. Thread-safety: belongs to
// one thread at a time.

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ordeal {

class Descriptor {
 public:
  Descriptor() = default;  // owns nothing
  // Takes what open(2) and its like return: a negative number is nothing.
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Descriptor() { reset(); }

  [[nodiscard]] int get() const { return fd_; }  // negative: nothing
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  // Gives it up without closing it.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  // Closes what it owns, then owns `fd`. errno stays as it is, so that an error may be told after the owner is gone.
  void reset(int fd = -1) {
    if (fd_ >= 0) {
      const int error = errno;
      (void)::close(fd_);
      errno = error;
    }
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace ordeal
