#pragma once
// Call: the answer that one thread waits for and another one gives, once. Held by both through a shared_ptr, so that it
// does not matter who ends first. Thread-safety: all methods from any thread.

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "base/deadline.h"

namespace ordeal::log::node {

template <class T>
class Call {
 public:
  void give(T value) {
    const std::lock_guard lock(mutex_);
    if (!value_) value_.emplace(std::move(value));
    wake_.notify_all();
  }
  // Nothing: not in time.
  [[nodiscard]] std::optional<T> await(Deadline deadline) {
    std::unique_lock lock(mutex_);
    wake_.wait_until(lock, deadline, [this] { return value_.has_value(); });
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<T> value_;
};

}  // namespace ordeal::log::node
