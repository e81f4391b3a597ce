#pragma once
// Clock hook: the functions that take the place of the vDSO's in a process whose clock is wrong; see clock_hook.cc.

#include <cstddef>
#include <span>

namespace ordeal::agent {

// The machine code, position-independent, at most kMaxCode bytes.
[[nodiscard]] std::span<const unsigned char> clock_hook_code();

// A function of the vDSO and where in the code its replacement begins.
struct HookEntry {
  const char* symbol;
  std::size_t offset;
};
[[nodiscard]] std::span<const HookEntry> clock_hook_entries();

}  // namespace ordeal::agent
