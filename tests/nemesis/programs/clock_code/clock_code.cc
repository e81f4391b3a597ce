// clock_code IMAGE: puts the agent's code for a wrong clock beside a library that looks like a vDSO (image.cc), leads
// its functions there as the agent does in other processes, and asks them for the time. Exit code 1, and a line on
// standard error for each, when something is not as it should be.

#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "nemesis/programs/agent/clock_hook.h"
#include "nemesis/programs/agent/clock_page.h"
#include "nemesis/programs/agent/machine.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"
#include "nemesis/programs/agent/vdso.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kCoarse = 20'000'000;  // what a coarse clock may be behind

int failures = 0;

void expect(bool good, const std::string& what, std::int64_t seen = 0, std::int64_t wanted = 1) {
  if (good) return;
  ++failures;
  std::fprintf(stderr, "%s: %lld, not %lld\n", what.c_str(), static_cast<long long>(seen),
               static_cast<long long>(wanted));
}

// The time that a function gives lies where it must, `wrong` being the wrong time for a true one.
template <class Read, class Wrong>
void expect_time(const std::string& what, Read read, Wrong wrong, std::int64_t grain) {
  const std::int64_t before = wall_clock_ns();
  const std::int64_t told = read();
  const std::int64_t after = wall_clock_ns();
  expect(told >= wrong(before) - grain && told <= wrong(after), what, told, wrong(before));
}

// The image in memory of our own, and its functions.
class Image {
 public:
  explicit Image(const std::string& file) {
    const std::string bytes = read_file(file);
    const std::size_t size = (bytes.size() / kPartSize + 1) * kPartSize;
    memory_ = static_cast<unsigned char*>(
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (bytes.empty() || memory_ == MAP_FAILED) std::abort();
    std::memcpy(memory_, bytes.data(), bytes.size());
    vdso_.start = reinterpret_cast<std::uintptr_t>(memory_);
    vdso_.image.assign(bytes.begin(), bytes.end());
    flush(memory_, size);
  }
  static void flush(unsigned char* from, std::size_t size) {
    __builtin___clear_cache(reinterpret_cast<char*>(from), reinterpret_cast<char*>(from + size));
  }
  unsigned char* at(const char* symbol) const {
    const VdsoFunction found = find_function(vdso_, symbol);
    expect(found.offset != 0 && found.size >= sizeof(Jump), symbol, static_cast<std::int64_t>(found.size),
           sizeof(Jump));
    if (found.offset == 0) std::exit(1);
    return memory_ + found.offset;
  }
  [[nodiscard]] bool is_pristine() const { return std::memcmp(memory_, vdso_.image.data(), vdso_.image.size()) == 0; }
  [[nodiscard]] const Vdso& vdso() const { return vdso_; }

 private:
  Vdso vdso_;
  unsigned char* memory_ = nullptr;
};

// Code and page, as the agent maps them.
class Hook {
 public:
  explicit Hook(const ClockParameters& parameters) {
    // Not at a multiple of the parts' size, as it may happen.
    auto* const room = static_cast<unsigned char*>(
        ::mmap(nullptr, 4 * kPartSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (room == MAP_FAILED) std::abort();
    code_ = room + ::sysconf(_SC_PAGESIZE);
    const auto bytes = clock_hook_code();
    expect(bytes.size() <= kMaxCode, "bytes of code", static_cast<std::int64_t>(bytes.size()), kMaxCode);
    std::memcpy(code_, bytes.data(), bytes.size());
    ClockPage page;
    page.parameters = parameters;
    std::memcpy(code_ + kPartSize, &page, sizeof page);
    if (::mprotect(code_, kMaxCode, PROT_READ | PROT_EXEC) != 0) std::abort();
    Image::flush(code_, kMaxCode);
  }
  [[nodiscard]] std::uint64_t entry(std::size_t offset) const {
    return reinterpret_cast<std::uintptr_t>(code_) + offset;
  }

 private:
  unsigned char* code_ = nullptr;
};

using ClockGettime = long (*)(clockid_t, timespec*);
using Gettimeofday = long (*)(timeval*, void*);
using Time = time_t (*)(time_t*);

template <class Function>
Function function_at(const Image& image, const char* symbol) {
  return reinterpret_cast<Function>(image.at(symbol));
}

template <class Wrong>
void ask_all(const std::string& name, const Image& image, Wrong wrong) {
  const auto entries = clock_hook_entries();
  const auto clock = function_at<ClockGettime>(image, entries[0].symbol);
  const auto read = [&](clockid_t id) {
    timespec out{};
    expect(clock(id, &out) == 0 && out.tv_nsec >= 0 && out.tv_nsec < kSecond, name + ": fraction", out.tv_nsec);
    return out.tv_sec * kSecond + out.tv_nsec;
  };
  expect_time(
      name + ": CLOCK_REALTIME", [&] { return read(CLOCK_REALTIME); }, wrong, 0);
  expect_time(
      name + ": CLOCK_REALTIME_COARSE", [&] { return read(CLOCK_REALTIME_COARSE); }, wrong, 2 * kCoarse);
  const std::int64_t before = monotonic_ns();
  const std::int64_t told = read(CLOCK_MONOTONIC);
  expect(told >= before && told <= monotonic_ns(), name + ": CLOCK_MONOTONIC", told, before);
  timespec untouched{};
  const long refused = clock(4711, &untouched);
  expect(refused == -EINVAL, name + ": a clock that there is not", refused, -EINVAL);

  const auto day = function_at<Gettimeofday>(image, entries[1].symbol);
  const auto read_day = [&] {
    timeval out{};
    expect(day(&out, nullptr) == 0 && out.tv_usec >= 0 && out.tv_usec < 1'000'000, name + ": microseconds",
           out.tv_usec);
    return out.tv_sec * kSecond + out.tv_usec * 1000;
  };
  expect_time(name + ": gettimeofday", read_day, wrong, 1000);
  if (entries.size() < 3) return;
  const auto time = function_at<Time>(image, entries[2].symbol);
  time_t stored = 0;
  expect_time(
      name + ": time", [&] { return std::int64_t{time(&stored)} * kSecond; }, wrong, kSecond + kCoarse);
  expect(stored != 0, name + ": time, stored");
}

void play(const std::string& name, const Image& image, const ClockParameters& parameters) {
  const Hook hook(parameters);
  for (const HookEntry& one : clock_hook_entries()) {
    const Jump jump = make_jump(hook.entry(one.offset));
    expect(jump_target(jump) == hook.entry(one.offset), name + ": target of the jump");
    std::memcpy(image.at(one.symbol), jump.data(), jump.size());
    Image::flush(image.at(one.symbol), jump.size());
  }
  expect(!image.is_pristine(), name + ": the image has changed");
  for (int i = 0; i < 20; ++i) {
    ask_all(name, image, [&](std::int64_t real) { return wrong_time(parameters, real); });
    pause_ns(2'000'000);
  }
  for (const HookEntry& one : clock_hook_entries()) {
    const VdsoFunction found = find_function(image.vdso(), one.symbol);
    std::memcpy(image.at(one.symbol), image.vdso().image.data() + found.offset, sizeof(Jump));
    Image::flush(image.at(one.symbol), sizeof(Jump));
  }
  expect(image.is_pristine(), name + ": the image is as before");
}

// A function of which the seventh instruction is a branch, of each kind: into the part that a jump replaces, or not.
void look_for_jumps_into_head() {
#if defined(__aarch64__)
  const auto looks = [](std::uint32_t branch) {
    std::array<std::uint32_t, 8> function{};
    function.fill(0xd503201f);  // nop
    function[6] = branch;
    return jumps_into_head({reinterpret_cast<const unsigned char*>(function.data()), sizeof function});
  };
  const auto back = [](std::uint32_t instructions, int bits, int shift) {
    return (~instructions + 1) << (32 - bits) >> (32 - bits) << shift;
  };
  expect(looks(0x54000001 | back(5, 19, 5)), "b.ne into the head");
  expect(looks(0x35000000 | back(4, 19, 5)), "cbnz into the head");
  expect(looks(0x37000000 | back(2, 14, 5)), "tbnz into the head");
  expect(looks(0x14000000 | back(3, 26, 0)), "b into the head");
  expect(!looks(0x14000000 | back(6, 26, 0)), "b to where the function begins");
  expect(!looks(0x34000000 | back(1, 19, 5)), "cbz behind the head");
  expect(!looks(0x54000001 | 1U << 5U), "b.ne forward");
  expect(!looks(0xd65f03c0), "ret");
#endif
}

int play_all(const std::string& file) {
  look_for_jumps_into_head();
  const Image image(file);
  const auto right = [](std::int64_t real) { return real; };
  ask_all("before", image, right);
  ClockParameters parameters;
  parameters.anchor_ns = wall_clock_ns();
  parameters.steps_ns[0] = 3600 * kSecond + 1;
  play("an hour ahead", image, parameters);
  parameters.steps_ns[0] = -kSecond * 86'400 * 365 * 60;  // before 1970: the fraction of a second is not negative
  play("sixty years behind", image, parameters);
  parameters.steps_ns[0] = 0;
  parameters.drift_q32 = std::int64_t{1} << 29U;
  play("an eighth faster", image, parameters);
  parameters.drift_q32 = -(std::int64_t{1} << 32U);
  play("standing still", image, parameters);
  parameters.drift_q32 = -(std::int64_t{1} << 30U);
  parameters.anchor_ns -= 86'400 * 1000 * kSecond;  // the product has more than 64 bits
  play("a quarter slower for long", image, parameters);
  ask_all("after", image, right);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ordeal::agent

int main(int argc, char** argv) { return argc == 2 ? ordeal::agent::play_all(argv[1]) : 64; }
