#pragma once
// Reading clocks and waiting, in nanoseconds.

#include <cstdint>
#include <ctime>

namespace ordeal::agent {

inline std::int64_t clock_ns(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}
inline std::int64_t wall_clock_ns() { return clock_ns(CLOCK_REALTIME); }
inline std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

// A signal ends it early.
inline void pause_ns(std::int64_t ns) {
  const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
  ::nanosleep(&time, nullptr);
}

}  // namespace ordeal::agent
