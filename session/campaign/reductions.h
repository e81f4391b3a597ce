#pragma once
// Reductions: the ways in which a run can be made smaller, each as the request of a run that is smaller in one respect:
// main phase, faults, nodes, clients, operations a second; or in the first two at once. Thread-safety: pure functions.

#include <string>
#include <vector>

#include "session/run_request.h"

namespace ordeal {

struct Reduction {
  std::string what;  // "seconds 60 → 7.5, faults in step"
  RunRequest request;
};

// `few_faults`: no fault, or one injection alone, to the end or for half of a main phase that is an eighth, a quarter
// (operations give up sooner by as much, after a second at the soonest), and as it is. Where each respect is reduced in
// turn, a main phase that has become short needs its many faults; so this is tried once, before. The others are in the
// order in which they pay: what makes the repetitions short comes first.
enum class Respect { few_faults, seconds, faults, nodes, clients, rate };
inline constexpr Respect kRespects[] = {Respect::seconds, Respect::faults, Respect::nodes, Respect::clients,
                                        Respect::rate};

// Those of one kind, the boldest first; empty: nothing is left to take away. Requires: `request` resolves. Whether what
// they ask for is possible is not looked at: resolve(), or the run, refuses it.
[[nodiscard]] std::vector<Reduction> reductions(const RunRequest& request, Respect respect);

}  // namespace ordeal
