#pragma once
// The verifier of certificates: is this order of operations really a linearization? It shares nothing with the searches
// but the History and is short enough to be read: real time by one pass, the data type by its second specification
// (models/specification.h), which works on values instead of interned states. Thread-safety: pure.

#include <string>

#include "checkers/interfaces/checker.h"

namespace ordeal {

// Empty when CheckResult::certificate explains the whole history under the options' model; else what is wrong with it.
// Models without a specification here (table:FILE, multi-register with txns) are reported as "not verified: …".
[[nodiscard]] std::string verify_certificate(const History& history, const CheckOptions& options,
                                             const CheckResult& result);

}  // namespace ordeal
