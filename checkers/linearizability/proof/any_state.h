#pragma once
// A data type of which nobody knows in which state it is at the beginning: for proofs that start in the middle of a
// history (proof/window.h). Thread-safety: as Model.

#include <cstdint>
#include <memory>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

// What may have happened between any two operations besides what the history shows: of counters what adds or what
// subtracts; of logs appends; of containers puts or takes; of mutexes acquires or releases; of registers with versions
// changes.
enum class Unseen { nothing, additions, subtractions };

// Of a container, the elements that are looked at, ascending. None: all.
using Elements = std::vector<std::int64_t>;

// What of a data type is looked at, and from where on.
struct View {
  Unseen unseen = Unseen::nothing;
  Elements elements;
  bool from_initial = false;  // the model's own initial state; otherwise it may be any. For sets, logs, containers,
                              // mutexes and registers with versions only; the others begin in any.
};

// Registers with cas or without or with versions, counters, fetch-add, kv, logs, mutexes, queues, stacks and priority
// queues, and some elements of sets and unordered queues; nullptr for anything else. `calls` are all that the result
// will be asked about. Borrows both `model` and `history`.
[[nodiscard]] std::unique_ptr<Model> from_any_state(const Model& model, const History& history,
                                                    const std::vector<Call>& calls, const View& view = {});

}  // namespace ordeal::lin
