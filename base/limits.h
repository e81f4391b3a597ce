#pragma once
// Limits: until when, and with how much memory, a long computation may go on.
//
// Memory is what this process holds beyond what it held when the limits were made: pages of its own, as the kernel
// counts them, not those of mapped files. A phase asks check() every few thousand steps, and need() before it takes a
// large array; both throw OutOfLimits, which whoever made the limits catches and turns into `unknown` with the reason.
//
// The linearizability searches have a Budget of their own (checkers/linearizability/interfaces/strategy.h), and it is
// another thing: several threads race on one key and are told apart only by what each of them charges and gives back,
// parts of it end earlier than the whole, and a search that is out of it returns what it knows instead of unwinding.
// Thread-safety: const methods from any thread.

#include <chrono>
#include <cstddef>
#include <exception>
#include <stop_token>
#include <string>
#include <utility>

namespace ordeal {

// Thrown by Limits only. what(): why, e.g. "the time limit was reached".
class OutOfLimits final : public std::exception {
 public:
  explicit OutOfLimits(std::string why) : why_(std::move(why)) {}
  [[nodiscard]] const char* what() const noexcept override { return why_.c_str(); }

 private:
  std::string why_;
};

class Limits {
 public:
  // None: nothing ever exceeds them.
  Limits() = default;
  // `timeout` counts from now, 0: no limit. `memory_bytes`: 0: half of what is free.
  Limits(std::chrono::milliseconds timeout, std::size_t memory_bytes, std::stop_token stop = {});

  // Why to stop now; empty: go on. About a microsecond.
  [[nodiscard]] std::string exceeded() const;
  // Throws when exceeded.
  void check() const;
  // Throws when so many bytes more would exceed the limit.
  void need(std::size_t bytes) const;
  // How many bytes are left.
  [[nodiscard]] std::size_t room() const;
  // How much time is left, at least 1 ms; 0: no limit.
  [[nodiscard]] std::chrono::milliseconds time_left() const;

 private:
  bool limited_ = false;
  std::chrono::milliseconds timeout_{0};
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  std::size_t ceiling_ = 0;  // bytes that the process may hold
  std::stop_token stop_;
};

// Half of the memory that is free, in bytes: the machine's, or that of the control groups around this process when they
// leave less.
[[nodiscard]] std::size_t usable_memory();

// The bytes that this process holds and that belong to no file; 0 when the kernel does not say. About a microsecond.
[[nodiscard]] std::size_t held_memory();
// Gives the system back what was freed and is still held. Milliseconds.
void return_freed_memory();

}  // namespace ordeal
