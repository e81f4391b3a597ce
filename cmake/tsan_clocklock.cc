// Only in builds with ThreadSanitizer. The runtime of GCC 12 knows pthread_mutex_timedlock but not
// pthread_mutex_clocklock, by which std::timed_mutex waits on the steady clock: it would miss every such lock, and
// report its unlocking as a mistake. Here the one is said in terms of the other.

#include <pthread.h>

#include <ctime>

namespace {

constexpr long kSecond_ns = 1'000'000'000;

timespec now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time;
}

}  // namespace

extern "C" int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) noexcept {
  if (clock == CLOCK_REALTIME) return pthread_mutex_timedlock(mutex, until);
  const timespec here = now(clock);
  timespec there = now(CLOCK_REALTIME);
  there.tv_sec += until->tv_sec - here.tv_sec;
  there.tv_nsec += until->tv_nsec - here.tv_nsec;
  for (; there.tv_nsec < 0; there.tv_nsec += kSecond_ns) --there.tv_sec;
  for (; there.tv_nsec >= kSecond_ns; there.tv_nsec -= kSecond_ns) ++there.tv_sec;
  return pthread_mutex_timedlock(mutex, &there);
}
