#pragma once
// Host clock: makes the clock of the whole machine wrong, and right again.
//
// What is true meanwhile is told by CLOCK_MONOTONIC_RAW, which neither clock_settime nor adjtimex touches: before the
// clock is changed, both clocks, the rate at which the kernel ran the first against the second (frequency and tick,
// adjtimex(2)) and the machine's boot id are written to FOLDER/host-clock. Undoing gives rate and status back and sets
// the clock to the time that it would show had nothing been done. After a reboot there is nothing to undo: rate and
// offset are gone with the kernel that had them.

#include <cstdint>
#include <string>
#include <vector>

namespace ordeal::agent {

// Steps follow each other every period, endlessly; without a period the first one stays.
struct HostClockParameters {
  std::int64_t drift_ppm = 0;  // gained, in millionths; by adjtimex, which does about 100,000 (a tenth) either way
  std::int64_t period_ns = 0;
  bool frozen = false;  // the clock is set back to the first step every few milliseconds
  std::vector<std::int64_t> steps_ns;
};

// Each returns the exit code; standard error says what is wrong.
[[nodiscard]] int start_host_clock(const std::string& folder, const HostClockParameters& parameters);
[[nodiscard]] int undo_host_clock(const std::string& folder);

}  // namespace ordeal::agent
