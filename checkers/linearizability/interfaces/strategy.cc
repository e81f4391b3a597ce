#include "checkers/linearizability/interfaces/strategy.h"

#include <algorithm>

#include "base/limits.h"

namespace ordeal::lin {

namespace {

// How many more bytes are charged between two looks at what the process holds.
constexpr std::ptrdiff_t kBetweenLooks = std::ptrdiff_t{1} << 20;

}  // namespace

Budget::Budget(std::chrono::steady_clock::time_point deadline, std::size_t memory_bytes, std::stop_token stop)
    : deadline_(deadline), memory_(memory_bytes), stop_(std::move(stop)) {
  const std::size_t held = held_memory();
  ceiling_ = memory_bytes < SIZE_MAX - held ? held + memory_bytes : SIZE_MAX;
}

bool Budget::out_of_time() const {
  if (stop_.stop_requested()) return true;
  if (deadline_ != std::chrono::steady_clock::time_point::max() && std::chrono::steady_clock::now() >= deadline_) {
    return true;
  }
  for (const Budget* b = whole_; b != nullptr; b = b->whole_) {
    if (b->stop_.stop_requested()) return true;
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
  if (now > static_cast<std::ptrdiff_t>(memory_)) return false;
  if (bytes <= 0 || now < look_at_.load(std::memory_order_relaxed)) return true;
  look_at_.store(now + kBetweenLooks, std::memory_order_relaxed);
  if (held_memory() <= ceiling_) return true;
  return_freed_memory();
  if (held_memory() <= ceiling_) return true;
  look_at_.store(0, std::memory_order_relaxed);
  return false;
}

void Budget::give_back(std::size_t bytes) { (void)charge(-static_cast<std::ptrdiff_t>(bytes)); }

std::string Budget::reason() const {
  if (whole_ != nullptr) return whole_->reason();
  if (stop_.stop_requested()) return "stopped on request";
  return "the time limit was reached";
}

}  // namespace ordeal::lin
