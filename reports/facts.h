#pragma once
// What is to be said about a run beyond the checkers' verdicts: counts, faults, and the limits of the evidence. All
// that is written or printed about a run takes its numbers from here. Thread-safety: pure functions.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reports/report.h"
#include "reports/troubles.h"

namespace ordeal {

struct OutcomeCounts {
  std::size_t ok = 0;
  std::size_t fail = 0;
  std::size_t info = 0;
  std::size_t spoiled = 0;  // of these: by an adapter in trouble (reports/troubles.h)
  [[nodiscard]] std::size_t total() const { return ok + fail + info; }
  void add(EventType outcome) { ++(outcome == EventType::ok ? ok : outcome == EventType::fail ? fail : info); }
};

struct FaultKindCounts {
  std::string fault;
  std::size_t planned = 0;  // their time came
  std::size_t tried = 0;    // and they were attempted: they did not wait in vain for a trigger, a quorum or a quiet end
  std::size_t injected = 0;
  std::size_t confirmed = 0;  // their effect was observed
  std::size_t healed = 0;     // their healing was observed
  std::size_t lifted = 0;     // somebody else undid them before their time
  // Operations of clients that were under way while one of those injected was in force, and those of them that ended
  // ok in that time.
  std::size_t attempted = 0;
  std::size_t succeeded = 0;
};

// The time to recover, as the checker "recovery" measured it (checkers/run/recovery.h).
struct Recovery {
  bool measured = false;
  std::string summary;  // one sentence without a full stop
  std::map<std::int64_t, std::string>
      served;  // by the fault's id: how long until all nodes served, and what it is worth
};

struct Facts {
  std::vector<OperationEvents> operations;  // History::operations()
  OutcomeCounts all;
  std::vector<std::pair<std::string, OutcomeCounts>> by_function;  // by name
  std::vector<FaultRecord> faults;                                 // by time of injection
  std::vector<FaultKindCounts> fault_kinds;                        // by name; also of the plan's that never came
  std::size_t faults_injected = 0;
  std::size_t faults_confirmed = 0;
  std::vector<AdapterTrouble> troubles;
  std::vector<std::string> troubles_told;  // a sentence for each of them
  Recovery recovery;
  Value nemesis_plan;  // the nemesis' event "plan"; nil: none
  std::vector<ClockSample> clocks;
  std::size_t keys = 0;     // distinct keys of the operations
  bool timed = false;       // the history has times
  std::int64_t end_ns = 0;  // the last event's time, or the run's duration when that is longer
};

[[nodiscard]] Facts facts_of(const ReportInput& input);

// The faults as the nemesis' events in the history tell them (harness/interfaces/nemesis.h), for a run whose records
// were lost with its controller.
[[nodiscard]] std::vector<FaultRecord> faults_in(const History& history);

// The offsets of clocks that faults on clocks measured while they were in force, and none once they were seen healed.
[[nodiscard]] std::vector<ClockSample> clocks_in(const History& history);

// When the fault was in force, from its first possible effect to its last; the end is `end_ns` when it was not healed.
struct Span {
  std::int64_t from = -1;
  std::int64_t to = -1;
};
[[nodiscard]] Span in_force(const FaultRecord& fault, std::int64_t end_ns);

// What this run cannot show: one sentence each, the gravest first; computed from the data alone.
[[nodiscard]] std::vector<std::string> limits_of(const ReportInput& input, const Facts& facts);

// One plain sentence for the verdict.
[[nodiscard]] std::string verdict_sentence(const ReportInput& input, const Facts& facts);

}  // namespace ordeal
