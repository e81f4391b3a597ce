// What a client answers to an operation whose value is not what its function takes.
#pragma once

#include <string>
#include <string_view>

#include "checkers/history/operation.h"

namespace ordeal {

// Nothing was sent: the operation failed for certain, with the kind "bad-operation". `expected` says in words what the
// function takes, e.g. "a whole number".
[[nodiscard]] inline Completion bad_operation(const Operation& operation, std::string_view expected) {
  return Completion::failed("bad-operation", operation.f + ": " + std::string(expected) + " was expected, found " +
                                                 operation.value.to_json());
}

}  // namespace ordeal
