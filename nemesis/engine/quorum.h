#pragma once
// Quorum: whether faults, taken together, leave a majority that can work. Pure.

#include <vector>

#include "harness/interfaces/fault.h"

namespace ordeal {

// True when some node is up and talks both ways to so many other nodes that are up that they are a majority of `n`: a
// leader with its quorum. What the others among them can say to each other does not matter to it. Faults that roll over
// nodes count with whichever node they have down at the moment.
[[nodiscard]] bool leaves_quorum(std::size_t n, const std::vector<Impairment>& in_force);

// Whether `next` may join the faults in force: yes, when a quorum is left, no two faults act on the processes of one
// node, and what it needs is not down; also when `next` takes the quorum all alone, since then it was asked to.
[[nodiscard]] bool may_join(std::size_t n, std::vector<Impairment> in_force, const Impairment& next);

}  // namespace ordeal
