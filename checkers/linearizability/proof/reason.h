#pragma once
// Reason: why a history has no linearization, in the words that people have for it: a stale read, a lost element, two
// holders. The searches show that no order exists; which of the familiar mistakes it is is looked for afterwards, and
// what is said of it was looked up in the whole history, so that it is true whatever else is in there.
//
// Thread-safety: pure.

#include <optional>
#include <string>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

struct Reason {
  std::string text;            // "stale read: process 6 on n4 read nil (event 9) 5.7 ms after …"
  std::vector<EventIndex> by;  // the operations that it speaks of, by their invocations; the one at fault first
};

// Speaks of operations of `minimal`, which is a part of `whole` without a linearization. Nothing: it is none of the
// mistakes that have a name.
[[nodiscard]] std::optional<Reason> reason_for(const KeyHistory& minimal, const KeyHistory& whole);

}  // namespace ordeal::lin
