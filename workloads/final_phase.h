#pragma once
// Generators of the final phase, after all faults are healed. Thread-safety: pure.

#include "harness/generator/combinators.h"

namespace ordeal {

// Each worker, and so each node that has one, tries the operation five times a second until it ended in ok once, for at
// most `patience_s` seconds.
[[nodiscard]] GeneratorPtr each_worker_until_ok(Operation operation, double patience_s);

}  // namespace ordeal
