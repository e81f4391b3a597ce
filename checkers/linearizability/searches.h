#pragma once
// The general searches, for every model. See jit.cc, wgl.cc, bounds.cc and race.cc.

#include <memory>

#include "checkers/linearizability/strategy.h"

namespace ordeal::lin {

// jit with at most `width` configurations of each state. From below it answers valid or unknown, from above invalid or
// unknown; and either the exact verdict when the width was enough.
enum class Side { exact, below, above };
[[nodiscard]] Decision search_from(Side side, std::size_t width, const KeyHistory& history, Budget& budget,
                                   bool want_order);
[[nodiscard]] std::unique_ptr<Strategy> jit_strategy();
[[nodiscard]] std::unique_ptr<Strategy> bounds_strategy();
[[nodiscard]] std::unique_ptr<Strategy> wgl_strategy();
// All at once under one budget; the first to decide wins.
[[nodiscard]] std::unique_ptr<Strategy> race_strategy();

}  // namespace ordeal::lin
