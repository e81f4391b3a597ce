#pragma once
// Clock page: what the code that answers for the clock inside a target reads, and the arithmetic of a wrong clock.
//
// The agent maps two parts into each process: the code of clock_hook.cc, and behind it this structure. It is written
// before the first call and never changed, so that no lock is needed; a fork takes both along. It also says whose
// they are: a process carries the state that undoing needs itself, and the agent may die at any time.

#include <cstddef>
#include <cstdint>

namespace ordeal::agent {

inline constexpr std::size_t kMaxCode = 4096;  // bytes of code; it begins at a multiple of this
// The size of either part, and the distance from the code to the ClockPage: whole pages, of whatever size the kernel
// has them.
#if defined(__aarch64__)
inline constexpr std::size_t kPartSize = 65'536;
#else
inline constexpr std::size_t kPartSize = 4096;
#endif
inline constexpr std::size_t kMaxSteps = 16;

// Wrong time = time + steps[(elapsed / period) % count] + elapsed * drift; elapsed = time since `anchor`.
struct ClockParameters {
  std::int64_t anchor_ns = 0;  // CLOCK_REALTIME when the fault began
  std::int64_t drift_q32 = 0;  // gained per second, as a fraction of 2^32; -2^32: the clock stands still
  std::int64_t period_ns = 0;  // of each step; 0: the first one stays
  std::int64_t count = 1;      // of steps, at most kMaxSteps
  std::int64_t steps_ns[kMaxSteps] = {};
};

inline constexpr std::uint64_t kClockMagic = 0x6b636f6c636c6564;  // "decllock"

struct ClockPage {
  std::uint64_t magic = kClockMagic;
  std::uint64_t self = 0;  // where this page is: tells it from a copy of these bytes in a buffer
  char id[24] = {};        // of the fault
  ClockParameters parameters;
};

// The wrong time for the true `real_ns`, both CLOCK_REALTIME in ns. Inlined, since the hook may call nothing outside
// its page.
[[gnu::always_inline]] inline std::int64_t wrong_time(const ClockParameters& clock, std::int64_t real_ns) {
  const std::int64_t elapsed = real_ns > clock.anchor_ns ? real_ns - clock.anchor_ns : 0;
  const std::int64_t step = clock.period_ns == 0 ? 0 : elapsed / clock.period_ns % clock.count;
  __extension__ using Wide = __int128;
  const auto gained = static_cast<std::int64_t>((static_cast<Wide>(elapsed) * clock.drift_q32) >> 32);
  return real_ns + clock.steps_ns[step] + gained;
}

}  // namespace ordeal::agent
