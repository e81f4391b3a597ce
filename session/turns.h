#pragma once
// Turns: how many kinds of faults can have their turn within a run, estimated before it begins, so that nobody waits
// for a run that cannot show what it was asked for. Thread-safety: pure functions.

#include <cstddef>
#include <string>

#include "harness/interfaces/plan.h"

namespace ordeal {

struct Turns {
  std::size_t at_once = 1;  // kinds that can be in force together
  std::size_t fit = 0;      // kinds that have a turn within the time limit
  double all_s = 0;         // how long all of them would take
};

// For so many kinds on so many nodes, of which some go over the nodes one by one (FaultFactory::node_by_node). With
// nemesis.quorum=keep faults wait for each other as long as they would leave no majority; each takes its duration and
// about two seconds to be injected, seen and healed, and one that goes node by node has its turn alone and takes two
// more for each node. They come in an order that the seed draws, so what fits is the part of all of them for which
// there is time. What waits for a trigger comes later than this says.
[[nodiscard]] Turns estimate_turns(const Plan& plan, std::size_t kinds, std::size_t node_by_node, std::size_t nodes);

// What to say before the start: always for --nemesis all, else when not all fit; empty: nothing.
[[nodiscard]] std::string turns_remark(const Plan& plan, std::size_t kinds, std::size_t node_by_node,
                                       std::size_t nodes);

}  // namespace ordeal
