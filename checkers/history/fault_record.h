#pragma once
// FaultRecord: what became of one injection of a fault, and the events of a history that tell it: the nemesis writes
// them (nemesis/engine/fault_log.h), whoever judges or shows a run reads them, and both put records together here.
//
// The event of a step is one of process "nemesis", of type info, whose f is the fault's name and whose value is
// {"id":N,"step":S,…}; harness/interfaces/nemesis.h says what each step means and what else it holds.
//
// Thread-safety: value types and pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "checkers/history/history.h"

namespace ordeal {

// What became of one injection. Times are ns since the run began, -1: it did not come to that.
struct FaultRecord {
  int id = 0;
  std::string fault;
  std::vector<std::string> nodes;
  Value description;
  std::int64_t planned_ns = -1;   // its time had come; it may have waited (for a trigger, a quorum) since
  std::int64_t inject_ns = -1;    // the injection began
  std::int64_t injected_ns = -1;  // it returned
  // When it struck, where the fault knows that more closely: not before the first, and all of it by the second.
  std::int64_t struck_from_ns = -1;
  std::int64_t struck_to_ns = -1;
  std::int64_t confirmed_ns = -1;  // its effect was observed
  std::int64_t heal_ns = -1;
  std::int64_t healed_ns = -1;
  std::int64_t heal_confirmed_ns = -1;
  std::string evidence;  // what was observed
  std::string heal_evidence;
  std::string error;  // the first thing that went wrong
  // Somebody else undid it, on some node, before its time: when that was found, and what was found.
  std::int64_t lifted_ns = -1;
  std::string lifted;
};

// As results.json holds it.
[[nodiscard]] Value to_value(const FaultRecord& record);

// The steps of an injection, in the order in which they can come.
enum class FaultStep {
  planned,
  triggered,
  postponed,
  inject,
  injected,
  confirmed,
  unconfirmed,
  disturbed,
  measured,
  lifted,  // by somebody else, before its time
  heal,
  healed,
  recovered,
  unrecovered,
  error,
  other,  // of a version that knows more steps: read, never written
};

// The word in the history. Requires: not `other`.
[[nodiscard]] std::string_view to_string(FaultStep step);

// One step of one injection.
struct FaultEvent {
  int id = 0;
  std::string fault;
  FaultStep step = FaultStep::other;
  std::int64_t time_ns = -1;  // since the run began
  Value value;                // the whole value of the event
};

// The value of a step's event; `more` comes after "id" and "step".
[[nodiscard]] Value fault_event_value(int id, FaultStep step, Value::Map more = {});

// The event as a step of an injection. Nothing: it is a client's, the nemesis' plan, or another tool's.
[[nodiscard]] std::optional<FaultEvent> fault_event(const History& history, EventIndex event);

// Adds what a step says to the record of its injection. Steps that only tell of the way there (triggered, postponed,
// measured) change nothing.
void apply(FaultRecord& record, const FaultEvent& event);

// Whether the value is that of the nemesis' first event, {"step":"plan",…}: what it drew and what it left out.
[[nodiscard]] bool is_nemesis_plan(const Value& value);

// That value; nil: the history has none.
[[nodiscard]] Value nemesis_plan(const History& history);

// The records of all injections, by id.
[[nodiscard]] std::vector<FaultRecord> fault_records(const History& history);

}  // namespace ordeal
