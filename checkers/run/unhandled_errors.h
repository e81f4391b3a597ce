#pragma once
// The checker "unhandled-errors": which classes of errors clients met, how often, with an example of each.
//
// It informs and judges nothing: the verdict is `valid`. Errors of the kind "exception" are those that an adapter did
// not expect; the details list them apart, because each is an operation counted as `info` that could be decided
// better. Thread-safety: stateless.

#include <memory>

#include "checkers/interfaces/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> unhandled_errors_checker();

}  // namespace ordeal
