#pragma once
// The general searches, for every model. See jit.cc, wgl.cc, bounds.cc and race.cc.

#include <memory>
#include <optional>

#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/search/relaxation.h"

namespace ordeal::lin {

// jit with at most `width` configurations of each state. From below it answers valid or unknown, from above invalid or
// unknown; and either the exact verdict when the width was enough. Of a relaxed history `valid` says nothing, so that
// is unknown, too.
enum class Side { exact, below, above };
struct Bounds {
  Side side = Side::exact;
  std::size_t width = 0;  // of no meaning when exact
  Relaxation relaxation;
};
[[nodiscard]] Decision search_within(const Bounds& bounds, const KeyHistory& history, Budget& budget, bool want_order);
// The search from above with growing width, and at each width with the relaxations of the history. Ends when it knows
// or the budget is out.
[[nodiscard]] Decision close_in_from_above(std::size_t first_width, const KeyHistory& history, Budget& budget,
                                           bool want_order);
// One pass over a register's history for a read that nothing explains: invalid, or nothing. See unexplained.cc.
[[nodiscard]] std::optional<Decision> find_unexplained(const KeyHistory& history);
[[nodiscard]] std::unique_ptr<Strategy> jit_strategy();
[[nodiscard]] std::unique_ptr<Strategy> bounds_strategy();
[[nodiscard]] std::unique_ptr<Strategy> wgl_strategy();
// Queues, stacks and priority queues: a search over which put each take took. See matching.cc.
[[nodiscard]] std::unique_ptr<Strategy> matching_strategy();
// All at once under one budget; the first to decide wins.
[[nodiscard]] std::unique_ptr<Strategy> race_strategy();
// A set without reads of everything, element by element. See by_element.cc.
[[nodiscard]] std::unique_ptr<Strategy> by_element_strategy();
// A register of which some values have several writers, where time tells mostly whose was seen. See by_writer.cc.
[[nodiscard]] std::unique_ptr<Strategy> zones_by_writer_strategy();

}  // namespace ordeal::lin
