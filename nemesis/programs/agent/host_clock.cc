#include "nemesis/programs/agent/host_clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "nemesis/programs/agent/background.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kFreezeEveryNs = 2'000'000;
constexpr std::int64_t kMaxSleepNs = 200'000'000;  // so that the end is noticed
constexpr int kReadOnlyStatus = STA_RONLY;
constexpr double kFrequencyUnits = 65536e6;  // of timex.freq in one: 2^16 of them are a millionth

// What was before.
struct Truth {
  std::string boot;
  std::int64_t real_ns = 0;
  std::int64_t raw_ns = 0;
  std::int64_t frequency = 0;
  std::int64_t tick_us = 0;
  std::int64_t status = 0;

  // How much the wall clock gained on the raw one in a second.
  [[nodiscard]] double rate() const {
    const double nominal_tick = 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
    return static_cast<double>(frequency) / kFrequencyUnits + static_cast<double>(tick_us) / nominal_tick - 1;
  }
  // The true time, by the raw clock.
  [[nodiscard]] std::int64_t at(std::int64_t raw) const {
    const std::int64_t passed = raw - raw_ns;
    return real_ns + passed + static_cast<std::int64_t>(static_cast<double>(passed) * rate());
  }
};

std::string truth_file(const std::string& folder) { return folder + "/host-clock"; }

std::string boot_id() {
  const auto words = split(read_file("/proc/sys/kernel/random/boot_id"), "\n");
  return words.empty() ? "" : words[0];
}

bool read_truth(const std::string& folder, Truth& out) {
  const auto words = split(read_file(truth_file(folder)), " \n");
  if (words.size() < 6) return false;
  out = {words[0],
         to_integer(words[1]),
         to_integer(words[2]),
         to_integer(words[3]),
         to_integer(words[4]),
         to_integer(words[5])};
  return true;
}

// The folder of a fault, this one or beside it, that has changed the clock since the machine started; empty: none.
std::string changed_by(const std::string& folder, const std::string& boot) {
  const std::string parent = folder.substr(0, folder.find_last_of('/'));
  DIR* entries = ::opendir(parent.c_str());
  if (entries == nullptr) return "";
  std::string out;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string one = parent + "/" + entry->d_name;
    Truth truth;
    if (one == folder ? exists(truth_file(one)) : read_truth(one, truth) && truth.boot == boot) out = one;
  }
  ::closedir(entries);
  return out;
}

bool sync_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool good = ::fsync(file) == 0;
  ::close(file);
  return good;
}

// The two clocks at one moment: between two readings of the raw one that lie close together.
void read_both(Truth& out) {
  std::int64_t closest = INT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const std::int64_t before = clock_ns(CLOCK_MONOTONIC_RAW);
    const std::int64_t real = wall_clock_ns();
    const std::int64_t after = clock_ns(CLOCK_MONOTONIC_RAW);
    if (after - before >= closest) continue;
    closest = after - before;
    out.real_ns = real;
    out.raw_ns = before + (after - before) / 2;
  }
}

bool set_clock_to(std::int64_t ns) {
  std::int64_t seconds = ns / 1'000'000'000;
  if (ns % 1'000'000'000 < 0) --seconds;
  const timespec time{seconds, static_cast<long>(ns - seconds * 1'000'000'000)};
  return ::clock_settime(CLOCK_REALTIME, &time) == 0;
}

int complain(const char* doing) {
  std::fprintf(stderr, "%s: %s\n", doing, std::strerror(errno));
  return 1;
}

// The rate as it was, and `ppm` more: as many whole ticks as fit, the rest by the frequency.
bool set_rate(const Truth& before, std::int64_t ppm) {
  const std::int64_t nominal_tick = 1'000'000 / ::sysconf(_SC_CLK_TCK);
  const std::int64_t tick_ppm = 1'000'000 / nominal_tick;  // what one microsecond of the tick is worth
  const std::int64_t ticks = (ppm + (ppm < 0 ? -tick_ppm : tick_ppm) / 2) / tick_ppm;
  timex change{};
  change.modes = ADJ_TICK | ADJ_FREQUENCY | ADJ_STATUS;
  change.tick = before.tick_us + ticks;
  change.freq = before.frequency + (ppm - ticks * tick_ppm) * 65536;
  // A clock that a phase- or frequency-locked loop steers would be steered back.
  change.status = ppm == 0 ? static_cast<int>(before.status) & ~kReadOnlyStatus : STA_UNSYNC;
  return ::adjtimex(&change) != -1;
}

void keep_wrong(const std::string& folder, const Truth& truth, const HostClockParameters& parameters) {
  const auto count = static_cast<std::int64_t>(parameters.steps_ns.size());
  std::int64_t last = -1;
  while (keep_going(folder)) {
    const std::int64_t raw = clock_ns(CLOCK_MONOTONIC_RAW);
    const std::int64_t passed = raw - truth.raw_ns;
    if (parameters.frozen) {
      (void)set_clock_to(truth.real_ns + parameters.steps_ns[0]);
      pause_ns(kFreezeEveryNs);
      continue;
    }
    const std::int64_t period = passed / parameters.period_ns;
    if (period != last) {
      last = period;
      (void)set_clock_to(truth.at(clock_ns(CLOCK_MONOTONIC_RAW)) +
                         parameters.steps_ns[static_cast<std::size_t>(period % count)]);
    }
    pause_ns(std::min(kMaxSleepNs, parameters.period_ns - passed % parameters.period_ns));
  }
}

}  // namespace

int start_host_clock(const std::string& folder, const HostClockParameters& parameters) {
  hold_signals();
  Truth truth;
  truth.boot = boot_id();
  timex now{};
  if (::adjtimex(&now) == -1) return complain("the rate of this machine's clock cannot be read");
  truth.frequency = now.freq;
  truth.tick_us = now.tick;
  truth.status = now.status;
  read_both(truth);
  const std::string line = truth.boot + " " + std::to_string(truth.real_ns) + " " + std::to_string(truth.raw_ns) + " " +
                           std::to_string(truth.frequency) + " " + std::to_string(truth.tick_us) + " " +
                           std::to_string(truth.status) + "\n";
  // What the clock shows under another fault is not true.
  if (const std::string other = changed_by(folder, truth.boot); !other.empty()) {
    std::fprintf(stderr, "this machine's clock is changed already by %s\n", other.c_str());
    return 1;
  }
  if (!write_file(truth_file(folder), line) || !sync_file(truth_file(folder)))
    return complain("the state cannot be kept");
  if (parameters.drift_ppm != 0) {
    return set_rate(truth, parameters.drift_ppm) ? 0 : complain("the rate of this machine's clock may not be changed");
  }
  if (!set_clock_to(truth.at(clock_ns(CLOCK_MONOTONIC_RAW)) + parameters.steps_ns[0])) {
    return complain("this machine's clock may not be set");
  }
  if (parameters.period_ns == 0 && !parameters.frozen) return 0;
  return start_background(folder, [&] { keep_wrong(folder, truth, parameters); }) ? 0 : 1;
}

int undo_host_clock(const std::string& folder) {
  hold_signals();
  end_background(folder);
  Truth truth;
  if (!read_truth(folder, truth) || truth.boot != boot_id()) return 0;
  if (!set_clock_to(truth.at(clock_ns(CLOCK_MONOTONIC_RAW)))) {
    // Where it may not be set now it could not be changed before.
    return errno == EPERM ? 0 : complain("this machine's clock cannot be set");
  }
  if (!set_rate(truth, 0)) return complain("the rate of this machine's clock cannot be restored");
  (void)::unlink(truth_file(folder).c_str());
  return 0;
}

}  // namespace ordeal::agent
