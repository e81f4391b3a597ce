#pragma once
// Of what is this a history? For `ordeal check` without a model. Thread-safety: pure.

#include <string>

#include "base/error.h"
#include "checkers/history/history.h"

namespace ordeal {

// The model (a name of model_catalogue()) that the functions and values of the clients' operations leave no doubt
// about. Errors: usage, saying what was found, when they do.
[[nodiscard]] Result<std::string> guessed_model(const History& history);

}  // namespace ordeal
