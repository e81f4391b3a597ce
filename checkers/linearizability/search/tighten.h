#pragma once
// What can be said about a key's calls before any search: crashed operations that nobody can have observed are
// dropped, and where a value has but one writer, its write must have happened before anybody who saw it returned.
// For registers; other models' calls are passed on as they are. Thread-safety: pure.

#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

// `calls` has a linearization exactly when the history has. `origin` gives each one's index in history.calls.
// A crashed write that was observed comes out with a return.
void tighten(const KeyHistory& history, std::vector<Call>& calls, std::vector<CallIndex>& origin);

}  // namespace ordeal::lin
