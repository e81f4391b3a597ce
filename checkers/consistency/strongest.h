#pragma once
// `strongest`: which levels does a history of registers keep?
//
// Judges all levels with a meaning for the model. A level that implies one that fails has failed, too, and one that is
// implied by one that holds, holds; so linearizable is asked first, and the long searches (sequential) only when the
// cheap levels below them hold. All share the time limit (20 seconds when there is none). The verdict, here and for
// transactions, is that on the strongest level there is: valid when it holds and so everything does, invalid when it is
// ruled out, unknown when it could not be decided. `details` name the strongest that holds:
//
//   {"strongest": "causal-cm", "holds": ["causal-cm", …], "undecided": [{"level": …, "reason": …}],
//    "ruled_out": [{"level": …, "anomaly": …, "operations": [index…], "explanation": …, "sentences": […], "because_of":
//    …}], "witness": {…}}
//
// ruled_out names the strongest failed level first; `because_of` is the weaker level whose anomaly is shown, when the
// level itself was not asked. Thread-safety: stateless.

#include <memory>

#include "checkers/interfaces/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> strongest_checker();

}  // namespace ordeal
