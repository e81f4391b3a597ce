#pragma once
// Clock: makes the clock of single processes wrong, and right again.
//
// The heads of the vDSO's functions are overwritten, in this process only, with jumps to the code of clock_hook.cc in a
// page of its own. Nothing else refers to that page: when the heads have their bytes again and no thread is on its way
// through the page, it is unmapped, and the process is what it was. What is needed for that can be found in the process
// itself at any time (find_page()), so that an agent may heal what another one did.

#include <cstdint>
#include <string>
#include <string_view>

#include "nemesis/programs/agent/clock_page.h"

namespace ordeal::agent {

// Where a process has a page of ours, 0: nowhere, and whose it is.
struct FoundPage {
  std::uint64_t address = 0;  // of the code
  std::string id;
  bool in_force = false;  // the vDSO leads to it
};
[[nodiscard]] FoundPage find_page(int process);

// Each returns an empty text, or what is wrong. Setting it waits, for seconds at most, until no thread uses the code
// that is to be changed, and gives up when the fault's folder is gone: then it is undone already.
[[nodiscard]] std::string set_clock(int process, const std::string& folder, std::string_view id,
                                    const ClockParameters& parameters);
// Nothing to do, and no error, when the fault is not in force in the process or it has ended.
[[nodiscard]] std::string reset_clock(int process, std::string_view id);

// What the process itself gets when it asks for the time, and what is true. By running its vDSO's clock_gettime in it.
struct ClockReading {
  std::int64_t before_ns = 0;  // CLOCK_REALTIME of this program
  std::int64_t inside_ns = 0;  // of the process, read in between
  std::int64_t after_ns = 0;
  bool pristine = false;  // the process's vDSO is byte for byte as the kernel made it
};
// Read again when the process was slow to answer, up to five times.
[[nodiscard]] std::string read_clock(int process, ClockReading& out);

}  // namespace ordeal::agent
