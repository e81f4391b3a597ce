#pragma once
// Waiting for time to pass, unless the run is stopped. Thread-safety: pure but for the clock.

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "base/deadline.h"

namespace ordeal {

// False when the run was stopped meanwhile. Returns at once when the deadline has passed.
inline bool pause_until(Deadline deadline, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, stop, deadline, [] { return false; });
  return !stop.stop_requested();
}

inline bool pause_for(double seconds, const std::stop_token& stop) {
  return pause_until(Deadline::after_s(seconds), stop);
}

}  // namespace ordeal
