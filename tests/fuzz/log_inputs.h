#pragma once
// What ordeal-log reads: segments, snapshots and marks of a data directory, signed notes, changes of keys, tiles, the
// audit's file. Part of fuzzed_inputs(). Thread-safety: one thread.

#include <vector>

#include "tests/fuzz/inputs.h"

namespace ordeal::testing {

[[nodiscard]] std::vector<FuzzedInput> log_inputs();

}  // namespace ordeal::testing
