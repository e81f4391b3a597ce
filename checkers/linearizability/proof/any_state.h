#pragma once
// A data type of which nobody knows in which state it is at the beginning: for proofs that start in the middle of a
// history (proof/window.h). Thread-safety: as Model.

#include <memory>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

// Of counters: what may have been added between any two operations besides what the history shows.
enum class Unseen { nothing, additions, subtractions };

// Registers with cas or without, counters, fetch-add and kv; nullptr for any other model. `calls` are all that the
// result will be asked about. Borrows both `model` and `history`.
[[nodiscard]] std::unique_ptr<Model> from_any_state(const Model& model, const History& history,
                                                    const std::vector<Call>& calls, Unseen unseen = Unseen::nothing);

}  // namespace ordeal::lin
