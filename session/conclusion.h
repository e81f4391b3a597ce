#pragma once
// What decides the verdict of a whole run beside the checkers: how the run ended, whether all nodes came back, and
// whether the faults that were asked for took effect (README.md). Pure functions.
//
// The rule of faults, the same for every target: a family of faults that the plan names counts when at least one of its
// injections was confirmed. One that does not count makes the run `unknown`, unless an anomaly was found; left aside
// are those that the seed's swarm left out, those that may be skipped because they do not apply here, and, with
// --nemesis all, those whose turn did not come.

#include <optional>
#include <string>
#include <vector>

#include "checkers/history/history.h"
#include "checkers/interfaces/checker.h"
#include "harness/interfaces/plan.h"
#include "harness/store/run_end.h"
#include "reports/facts.h"
#include "session/environment.h"

namespace ordeal {

// How the run ended: as the last record of its history says; for a run of a version that wrote none, as the outcome in
// its environment says. Nothing: the controller was killed.
[[nodiscard]] std::optional<RunEnd> end_of(const History& history, const Environment& environment);

// Why the run itself failed: the environment's word, or the journal's, or a node that did not serve again while nobody
// saw that a fault on it was healed. A run that was stopped on request did not fail.
[[nodiscard]] std::optional<Error> failure_of(const std::optional<RunEnd>& end, const Environment& environment,
                                              const std::vector<FaultRecord>& faults);

// The anomaly `unrecovered` of each node that did not serve again though the faults it saw are such as a sound target
// survives, and were healed, with the last lines of its log. Nothing: there is none.
[[nodiscard]] std::optional<CheckResult> unrecovered_check(const Plan& plan, const RunEnd& end,
                                                           const std::vector<FaultRecord>& faults,
                                                           const std::vector<NodeLog>& logs);

// A journal counts its events without a gap. Where that of a stored run does not, for people: whatever is missing might
// explain what looks wrong, or be what is wrong. Empty: all are there, up to an end that may be torn.
[[nodiscard]] std::string missing_events(const History& history);

// What a run that is not invalid lacks to be valid, the gravest thing; empty: nothing.
[[nodiscard]] std::string shortfall(const Plan& plan, const std::optional<RunEnd>& end, const Environment& environment,
                                    const Facts& facts);

}  // namespace ordeal
