#pragma once
// The checker "stats": how many operations of each function ended ok, fail and info.
//
// A function that was tried and never succeeded has shown nothing, whatever other checkers say: the verdict is then
// `unknown`, otherwise `valid`. (Jepsen's stats calls it invalid; but nothing is proved by it.)
// Thread-safety: stateless.

#include <memory>

#include "checkers/interfaces/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> stats_checker();

}  // namespace ordeal
