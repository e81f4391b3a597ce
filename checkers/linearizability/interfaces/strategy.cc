#include "checkers/linearizability/interfaces/strategy.h"

#include <pthread.h>

#include <algorithm>

#include "base/limits.h"

namespace ordeal::lin {

namespace {

// How many more bytes are charged between two looks at what the process holds.
constexpr std::ptrdiff_t kBetweenLooks = std::ptrdiff_t{1} << 20;

std::chrono::nanoseconds time_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Budget::Budget(std::chrono::steady_clock::time_point deadline, std::size_t memory_bytes, std::stop_token stop)
    : deadline_(deadline), memory_(memory_bytes), stop_(std::move(stop)) {
  const std::size_t held = held_memory();
  ceiling_ = memory_bytes < SIZE_MAX - held ? held + memory_bytes : SIZE_MAX;
}

Budget::Budget(Budget& whole, std::chrono::nanoseconds work) : Budget(whole, whole.deadline_, {}) {
  if (pthread_getcpuclockid(pthread_self(), &worker_) == 0) until_ = time_of(worker_) + work;
}

// REQUIRES: the thread that made this budget lives.
bool Budget::has_worked() const { return until_.count() >= 0 && time_of(worker_) >= until_; }

bool Budget::out_of_time() const {
  if (stop_.stop_requested() || has_worked()) return true;
  if (deadline_ != std::chrono::steady_clock::time_point::max() && std::chrono::steady_clock::now() >= deadline_) {
    return true;
  }
  for (const Budget* b = whole_; b != nullptr; b = b->whole_) {
    if (b->stop_.stop_requested() || b->has_worked()) return true;
  }
  return false;
}

bool Budget::charge(std::ptrdiff_t bytes) {
  if (whole_ != nullptr) return whole_->charge(bytes);
  const std::ptrdiff_t now = used_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (bytes > 0 && now > 0) {
    std::size_t peak = peak_.load(std::memory_order_relaxed);
    const auto wanted = static_cast<std::size_t>(now);
    while (peak < wanted && !peak_.compare_exchange_weak(peak, wanted, std::memory_order_relaxed)) {
    }
  }
  if (bytes > 0 && now >= look_at_.load(std::memory_order_relaxed)) look(now);
  return now <= static_cast<std::ptrdiff_t>(memory_) && !over_.load(std::memory_order_relaxed);
}

void Budget::look(std::ptrdiff_t used) {
  look_at_.store(used + kBetweenLooks, std::memory_order_relaxed);
  bool over = held_memory() > ceiling_;
  if (over) {
    return_freed_memory();
    over = held_memory() > ceiling_;
  }
  over_.store(over, std::memory_order_relaxed);
}

void Budget::give_back(std::size_t bytes) {
  (void)charge(-static_cast<std::ptrdiff_t>(bytes));
  // Who goes on after another has given up deserves another look.
  if (whole_ == nullptr && bytes >= static_cast<std::size_t>(kBetweenLooks))
    look_at_.store(0, std::memory_order_relaxed);
}

std::string Budget::reason() const {
  if (whole_ != nullptr) return whole_->reason();
  if (stop_.stop_requested()) return "stopped on request";
  return "the time limit was reached";
}

}  // namespace ordeal::lin
