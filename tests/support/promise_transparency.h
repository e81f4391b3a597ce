#pragma once
// Brute force over the promise of a log with tree heads and proofs. Thread-safety: pure.

#include <vector>

#include "support/promise_oracle.h"

namespace ordeal::testing_support {

[[nodiscard]] bool keeps_transparency_log(const std::vector<Call>& calls);

}  // namespace ordeal::testing_support
