#pragma once
// Damage: on which nodes data may be damaged for good. Since nothing heals it, all such faults of a run together must
// stay on the same minority: (n - 1) / 2 nodes that the run's seed draws, the same for all of them for as long as the
// run goes on. Pure.

#include <random>
#include <string_view>
#include <vector>

#include "nemesis/node/selector.h"

namespace ordeal {

// Indices, ascending; none when the cluster has fewer than three nodes.
[[nodiscard]] std::vector<std::size_t> damageable_nodes(const FaultContext& context);

// As select_nodes(), but that "minority" draws a set among the above. Errors: usage, when there is none.
[[nodiscard]] Result<Selection> select_damaged(std::string_view text, const FaultContext& context,
                                               std::mt19937_64& random);

}  // namespace ordeal
