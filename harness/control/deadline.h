#pragma once
// Deadline: the moment by which a wait must be over. Passed down through every blocking call of this room, so that
// a chain of waits (resolve, connect, authenticate, run) shares one budget.

#include <algorithm>
#include <chrono>

namespace ordeal {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] static Deadline after(std::chrono::milliseconds wait) { return Deadline(Clock::now() + wait); }

  [[nodiscard]] bool passed() const { return Clock::now() >= at_; }
  // Never negative; rounded up, so that a wait of this length does not end before the deadline.
  [[nodiscard]] std::chrono::milliseconds remaining() const {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()), std::chrono::milliseconds(0));
  }
  // The time-out argument of poll(2), at most a minute: callers loop.
  [[nodiscard]] int poll_ms() const { return static_cast<int>(std::min<long long>(remaining().count(), 60'000)); }
  // This deadline, or `wait` from now if that is earlier.
  [[nodiscard]] Deadline within(std::chrono::milliseconds wait) const {
    return Deadline(std::min(at_, Clock::now() + wait));
  }

 private:
  explicit Deadline(Clock::time_point at) : at_(at) {}
  Clock::time_point at_;
};

}  // namespace ordeal
