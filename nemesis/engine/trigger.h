#pragma once
// Trigger: what a fault may wait for instead of a moment in time. The text of nemesis.trigger and of `when` in a
// timeline:
//
//   leader-change        the nodes that say they lead are others than when the waiting began
//   log:REGEX            a line that matches (POSIX extended) is written to a log of the target, on any node;
//   log@n2:REGEX         on that node
//   operation:F          a client has an operation F under way
//   phase:main           the main phase of the workload begins;
//   phase:recovery       it is over, everything is healed and the target recovers, while no client asks it for
//   anything; phase:final          the final phase begins (final reads, …)
//
// Only what happens after the waiting began counts. Logs are looked at ten times a second, leaders four times; an
// operation is seen when it begins. Thread-safety: value type; await_trigger() may run on several threads.

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/interfaces/fault.h"
#include "harness/interfaces/nemesis.h"

namespace ordeal {

struct Trigger {
  enum class Kind { leader_change, log, operation, phase };
  Kind kind = Kind::phase;
  std::string what;  // the regular expression, the function, or the phase
  std::string node;  // log: empty: any
  std::string text;  // as it was given
};

// Errors: usage.
[[nodiscard]] Result<Trigger> parse_trigger(std::string_view text);

// nemesis.trigger: "leader-change" for all lanes, or for some: "kill=leader-change; pause=operation:cas". The name is
// empty when it is for all. Errors: usage.
[[nodiscard]] Result<std::vector<std::pair<std::string, Trigger>>> parse_lane_triggers(std::string_view text);

// Empty when it can happen on this target and cluster, else why not.
[[nodiscard]] std::string trigger_problem(const Trigger& trigger, const FaultContext& context);

// Of Kind::phase.
[[nodiscard]] RunPhase phase_of(const Trigger& trigger);

// Waits, until `deadline` at most. What was seen, in one sentence; nothing: it did not happen. Errors: unreachable,
// when no log can be read.
[[nodiscard]] Result<std::optional<std::string>> await_trigger(const Trigger& trigger, const FaultContext& context,
                                                               NemesisLog& log, Deadline deadline,
                                                               const std::stop_token& stop);

}  // namespace ordeal
