#pragma once
// zones: registers whose written values are unique, with or without cas, in O(n log n). See zones.cc.

#include <memory>

#include "checkers/linearizability/interfaces/strategy.h"

namespace ordeal::lin {

[[nodiscard]] std::unique_ptr<Strategy> zones_strategy();

}  // namespace ordeal::lin
