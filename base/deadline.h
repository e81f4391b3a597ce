#pragma once
// Deadline: the moment by which a wait must be over. Passed down through every blocking call, so that a chain of waits
// (resolve, connect, authenticate, run) shares one budget. It is a point of the monotonic clock, and goes wherever one
// is asked for. Thread-safety: a value type.

#include <algorithm>
#include <chrono>

namespace ordeal {

// Settings are seconds; clocks count nanoseconds.
[[nodiscard]] inline std::chrono::nanoseconds from_seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

class Deadline : public std::chrono::steady_clock::time_point {
 public:
  using Clock = std::chrono::steady_clock;

  Deadline() = default;  // the clock's epoch: over long ago
  // Implicit: a point in time is a deadline.
  Deadline(Clock::time_point at) : Clock::time_point(at) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] static Deadline after(std::chrono::nanoseconds wait) { return Deadline(Clock::now() + wait); }
  [[nodiscard]] static Deadline after_s(double seconds) { return after(from_seconds(seconds)); }

  [[nodiscard]] bool passed() const { return Clock::now() >= *this; }
  // Never negative; rounded up, so that a wait of this length does not end before the deadline.
  [[nodiscard]] std::chrono::milliseconds remaining() const {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(*this - Clock::now()), std::chrono::milliseconds(0));
  }
  // The time-out argument of poll(2), at most a minute: callers loop.
  [[nodiscard]] int poll_ms() const { return static_cast<int>(std::min<long long>(remaining().count(), 60'000)); }
  // This deadline, or `wait` from now if that is earlier.
  [[nodiscard]] Deadline within(std::chrono::nanoseconds wait) const {
    return Deadline(std::min<Clock::time_point>(*this, Clock::now() + wait));
  }
  [[nodiscard]] Deadline within_s(double seconds) const { return std::min(*this, after_s(seconds)); }
};

}  // namespace ordeal
