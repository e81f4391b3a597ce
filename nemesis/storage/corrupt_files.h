#pragma once
// Corrupt files: the target comes back and finds other files than it left: flipped bits, lost ends, zeros, misplaced
// chunks, or its files of a while ago. Nothing puts them right again: the damage is the fault. Thread-safety: as of
// Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory corrupt_files_fault();

}  // namespace ordeal
