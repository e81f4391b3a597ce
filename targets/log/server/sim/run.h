#pragma once
// A simulated run and its judgement; and the smallest part of a plan that still shows what went wrong.
// Thread-safety: functions without state, for any number of threads (but see bugs.h).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "targets/log/server/sim/invariants.h"
#include "targets/log/server/sim/plan.h"

namespace ordeal::log::sim {

struct RunResult {
  std::optional<Violation> violation;
  std::uint64_t digest = 0;  // over all that happened: equal for equal runs
  std::uint64_t events = 0;
  std::uint64_t operations_ok = 0, operations_failed = 0, operations_unknown = 0;
  std::uint64_t committed = 0, terms_led = 0, restarts = 0, snapshots_installed = 0, members_changed = 0;
  std::uint64_t messages_refused = 0;
  std::vector<std::string> trace;  // when it was asked for
};

// Runs the plan, judges the invariants as it goes and the clients' history at the end by the checker `linearizable`.
[[nodiscard]] RunResult run(const Plan& plan, bool trace = false);

struct Shrunk {
  Plan plan;
  RunResult result;
  unsigned runs = 0;
};
// Leaves out faults and operations as long as a violation of the same kind remains. Requires: run(plan) has one.
[[nodiscard]] Shrunk shrink(const Plan& plan, const Violation& violation, unsigned max_runs = 300);

}  // namespace ordeal::log::sim
