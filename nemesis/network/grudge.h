#pragma once
// Grudges: who refuses to hear whom in a network partition, by shape. Pure functions over node indices.
//
// Each shape is a set of cut pairs (a, b) in a fixed orientation, for the one-way variant: `a` belongs to the first
// side (or comes first round the ring). A two-way cut drops both directions; a one-way cut drops only what the first
// side sends (or only what it is sent: a coin decides).
//
//   halves            a random half against the other                 one        one node against the rest
//   majority          a random minority against the majority          primaries  each leader alone, the rest together
//   bridge            two halves that only one node hears, and it hears both
//   groups            sides by name: "n1,n2|n3"; who is on no side hears, and is heard by, all
//   majorities-ring   every node hears a majority, and (from five nodes on) no two hear the same one: the cruellest
//                     shape for a protocol that takes "I hear a majority" for "there is one majority" (Jepsen's)
//
// Thread-safety: pure.

#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace ordeal {

struct Grudge {
  // The sides, for the report: bridge: {left, {bridge}, right}; majorities-ring: one group, in the ring's order.
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::pair<std::size_t, std::size_t>> cut;  // each unordered pair once
  std::vector<std::vector<std::size_t>> drops;           // drops[i]: whose packets node i drops, ascending
};

enum class CutDirection { both, first_is_unheard, first_is_deaf };

// The names of the shapes that need no knowledge of the leaders, in the order in which `random` draws among them.
[[nodiscard]] const std::vector<std::string>& blind_shapes();

// The sides that a text names: names of nodes separated by commas, sides by bars; `rest`, alone on a side: all that no
// other side names. Errors: usage, with what was meant perhaps.
[[nodiscard]] Result<std::vector<std::vector<std::size_t>>> parse_sides(std::string_view text,
                                                                        const std::vector<std::string>& nodes);
// Every side cut off from every other. Requires: two sides or more, none empty, none in common.
[[nodiscard]] Grudge grudge_of_sides(std::vector<std::vector<std::size_t>> sides, std::size_t n,
                                     CutDirection direction);

// `primaries` is used by the shape of that name only. Errors: unsupported, when the shape needs more than `n` nodes or
// there is no primary; usage, for an unknown shape.
[[nodiscard]] Result<Grudge> make_grudge(std::string_view shape, std::size_t n, CutDirection direction,
                                         const std::vector<std::size_t>& primaries, std::mt19937_64& random);

}  // namespace ordeal
