// The programs on which aarch64_vm.py tries the agent. Each looks at itself and prints a line for each look: truth is
// what the kernel says by system call, which no fault changes.
//
//   guest told      "told GETTIME GETTIMEOFDAY": how far these are from the truth, in ns; four threads more ask often
//   guest slept     "slept MS": what a nanosleep of 2 s took
//   guest waited    "waited MS": what a futex's wait of 2 s took
//   guest vectors   "vectors LOOKS WRONG": how often registers of SVE were looked at, and were not as they were left

#include <linux/futex.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t to_ns(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

std::int64_t truth() {
  timespec now{};
  ::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return to_ns(now);
}

std::int64_t monotonic() {
  timespec now{};
  ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return to_ns(now);
}

void told() {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      timespec now{};
      for (std::int64_t looks = 0;; ++looks) {
        ::clock_gettime(CLOCK_REALTIME, &now);
        if (looks % 100 == 0) ::usleep(5000);
      }
    });
  }
  while (true) {
    const std::int64_t before = truth();
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    timeval day{};
    ::gettimeofday(&day, nullptr);
    std::printf("told %lld %lld\n", static_cast<long long>(to_ns(now) - before),
                static_cast<long long>(day.tv_sec * kSecond + day.tv_usec * 1000 - before));
    ::usleep(50'000);
  }
}

template <class Wait>
void waits(const char* name, Wait wait) {
  while (true) {
    const std::int64_t before = monotonic();
    wait(timespec{2, 0});
    std::printf("%s %lld\n", name, static_cast<long long>((monotonic() - before) / 1'000'000));
  }
}

#pragma GCC push_options
#pragma GCC target("+sve")
// Fills the vector registers, waits a while and stores them; nothing in between is a system call.
[[gnu::noinline]] void keep_vectors(const std::uint64_t* in, std::uint64_t* out, std::uint64_t spins) {
  asm volatile(
      "ptrue p0.b\n"
      "ldr z0, [%0]\nldr z7, [%0]\nldr z15, [%0]\nldr z31, [%0]\nmov p5.b, p0.b\n"
      "1: subs %2, %2, #1\nb.ne 1b\n"
      "str z0, [%1]\nstr z7, [%1, #1, mul vl]\nstr z15, [%1, #2, mul vl]\nstr z31, [%1, #3, mul vl]\n"
      "mov z0.d, p5/z, #0\n"
      : "+r"(in), "+r"(out), "+r"(spins)::"memory", "cc", "p0", "p5", "z0", "z7", "z15", "z31");
}
[[gnu::noinline]] std::uint64_t vector_bytes() {
  std::uint64_t out = 0;
  asm("cntb %0" : "=r"(out));
  return out;
}
#pragma GCC pop_options

void vectors() {
  if ((::getauxval(AT_HWCAP) & (1UL << 22U)) == 0) return;  // HWCAP_SVE
  const std::uint64_t words = vector_bytes() / 8;
  std::vector<std::uint64_t> in(words), out(4 * words);
  for (std::uint64_t i = 0; i < words; ++i) in[i] = 0x0101010101010101ULL * (i + 1);
  std::int64_t wrong = 0;
  for (std::int64_t looks = 1;; ++looks) {
    keep_vectors(in.data(), out.data(), 100'000);
    for (std::uint64_t i = 0; i < out.size(); ++i) wrong += out[i] != in[i % words];
    if (looks % 20 == 0)
      std::printf("vectors %lld %lld\n", static_cast<long long>(looks), static_cast<long long>(wrong));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const char* what = argc == 2 ? argv[1] : "";
  if (std::strcmp(what, "told") == 0) told();
  if (std::strcmp(what, "slept") == 0) waits("slept", [](timespec time) { ::syscall(SYS_nanosleep, &time, nullptr); });
  if (std::strcmp(what, "waited") == 0) {
    std::uint32_t word = 0;
    waits("waited", [&](timespec time) { ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, nullptr, 0); });
  }
  if (std::strcmp(what, "vectors") == 0) vectors();
  return 64;
}
