#pragma once
// Selectors: on which nodes a fault acts. The text of options such as kill.nodes:
//
//   one · minority · majority · all · subset (any non-empty set) · n1,n3 (a named set) ·
//   minority-third (fewer than a third: what a Byzantine protocol bears) · ring (no two neighbours round the ring of
//   the nodes, a minority) · primaries · followers (all that do not lead) · random: draws among one, minority and,
//   where the target knows its leaders, primaries
//
// Thread-safety: pure, but for asking the target who leads.

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "harness/interfaces/fault.h"

namespace ordeal {

struct Selection {
  std::string how;                 // the selector that was drawn: "minority"
  std::vector<std::size_t> nodes;  // indices, ascending, at least one
  std::string note;                // when it is not what was asked for, why
};

// Empty when `text` is a selector for this cluster and target, else what is wrong with it.
[[nodiscard]] std::string selector_problem(std::string_view text, const FaultContext& context);

// Draws. The number of draws depends on the text and the number of nodes only. When nobody leads at the moment, or the
// target cannot say, `primaries` and `followers` take one node at random and says so. Errors: usage.
[[nodiscard]] Result<Selection> select_nodes(std::string_view text, const FaultContext& context,
                                             std::mt19937_64& random);

// Who leads, as far as the target can say within two seconds; sorted, without repetitions; empty when nobody knows.
[[nodiscard]] std::vector<std::size_t> known_primaries(const FaultContext& context);

}  // namespace ordeal
