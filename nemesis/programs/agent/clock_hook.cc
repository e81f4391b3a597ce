// The code that runs inside a target: clock_gettime, gettimeofday and time, asked of the kernel by system call and
// then shifted as the ClockPage behind the code says.
//
// It is copied out of this program byte by byte, so it may refer to nothing outside its section: no library, no
// constant in memory, no jump table, no stack protector (CMakeLists.txt sets the flags). It finds its page by its own
// program counter. Callers expect it to be like the vDSO's: it uses little stack (Go calls it on the system stack) and
// no vector registers.

#include "nemesis/programs/agent/clock_hook.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <cerrno>
#include <cstdint>
#include <ctime>

#include "nemesis/programs/agent/clock_page.h"

#define ORDEAL_HOOK [[gnu::section("ordeal_clock"), gnu::used, gnu::noinline]]

extern "C" const unsigned char __start_ordeal_clock[];  // by the linker
extern "C" const unsigned char __stop_ordeal_clock[];

namespace ordeal::agent {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

[[gnu::always_inline]] inline const ClockParameters& parameters() {
  std::uintptr_t here = 0;
#if defined(__x86_64__)
  asm("lea (%%rip), %0" : "=r"(here));
#elif defined(__aarch64__)
  asm("adr %0, ." : "=r"(here));
#else
#error "the agent does not know this machine"
#endif
  return reinterpret_cast<const ClockPage*>((here & ~(kMaxCode - 1)) + kPartSize)->parameters;
}

[[gnu::always_inline]] inline long system_call(long number, long first, void* second) {
#if defined(__x86_64__)
  long result = number;
  asm volatile("syscall" : "+a"(result) : "D"(first), "S"(second) : "rcx", "r11", "memory");
  return result;
#else
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = first;
  register void* x1 asm("x1") = second;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
  return x0;
#endif
}

[[gnu::always_inline]] inline bool is_wall_clock(clockid_t id) {
  return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI;
}

// The floor, so that the fraction is never negative.
[[gnu::always_inline]] inline std::int64_t whole_seconds(std::int64_t ns) {
  const std::int64_t seconds = ns / kSecond;
  return ns % kSecond < 0 ? seconds - 1 : seconds;
}

[[gnu::always_inline]] inline std::int64_t wrong_now(clockid_t id, long& failed) {
  timespec now;
  failed = system_call(SYS_clock_gettime, id, &now);
  return failed != 0 ? 0 : wrong_time(parameters(), now.tv_sec * kSecond + now.tv_nsec);
}

ORDEAL_HOOK int hook_clock_gettime(clockid_t id, timespec* out) {
  if (!is_wall_clock(id)) return static_cast<int>(system_call(SYS_clock_gettime, id, out));
  long failed = 0;
  const std::int64_t ns = wrong_now(id, failed);
  if (failed != 0) return static_cast<int>(failed);
  const std::int64_t seconds = whole_seconds(ns);
  out->tv_sec = seconds;
  out->tv_nsec = ns - seconds * kSecond;
  return 0;
}

ORDEAL_HOOK int hook_gettimeofday(timeval* out, void* zone) {
  if (zone != nullptr) {
    const long failed = system_call(SYS_gettimeofday, 0, zone);
    if (failed != 0) return static_cast<int>(failed);
  }
  if (out == nullptr) return 0;
  long failed = 0;
  const std::int64_t ns = wrong_now(CLOCK_REALTIME, failed);
  if (failed != 0) return static_cast<int>(failed);
  const std::int64_t seconds = whole_seconds(ns);
  out->tv_sec = seconds;
  out->tv_usec = (ns - seconds * kSecond) / 1000;
  return 0;
}

#if defined(__x86_64__)
ORDEAL_HOOK time_t hook_time(time_t* out) {
  long failed = 0;
  const std::int64_t ns = wrong_now(CLOCK_REALTIME_COARSE, failed);
  if (failed != 0) return -1;
  const time_t seconds = whole_seconds(ns);
  if (out != nullptr) *out = seconds;
  return seconds;
}
#endif

template <class Function>
std::size_t offset_of(Function* function) {
  return static_cast<std::size_t>(reinterpret_cast<const unsigned char*>(function) - __start_ordeal_clock);
}

}  // namespace

std::span<const unsigned char> clock_hook_code() { return {__start_ordeal_clock, __stop_ordeal_clock}; }

std::span<const HookEntry> clock_hook_entries() {
#if defined(__x86_64__)
  static const HookEntry entries[] = {{"__vdso_clock_gettime", offset_of(hook_clock_gettime)},
                                      {"__vdso_gettimeofday", offset_of(hook_gettimeofday)},
                                      {"__vdso_time", offset_of(hook_time)}};
#else
  static const HookEntry entries[] = {{"__kernel_clock_gettime", offset_of(hook_clock_gettime)},
                                      {"__kernel_gettimeofday", offset_of(hook_gettimeofday)}};
#endif
  return entries;
}

}  // namespace ordeal::agent
