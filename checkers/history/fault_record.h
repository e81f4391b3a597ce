#pragma once
// FaultRecord: what became of one injection of a fault. Thread-safety: a value type.

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/value.h"

namespace ordeal {

// What became of one injection. Times are ns since the run began, -1: it did not come to that.
struct FaultRecord {
  int id = 0;
  std::string fault;
  std::vector<std::string> nodes;
  Value description;
  std::int64_t planned_ns = -1;    // its time had come; it may have waited (for a trigger, a quorum) since
  std::int64_t inject_ns = -1;     // the injection began
  std::int64_t injected_ns = -1;   // it returned
  std::int64_t confirmed_ns = -1;  // its effect was observed
  std::int64_t heal_ns = -1;
  std::int64_t healed_ns = -1;
  std::int64_t heal_confirmed_ns = -1;
  std::string evidence;  // what was observed
  std::string heal_evidence;
  std::string error;  // the first thing that went wrong
};

// As faults.json and results.json hold it, and back. Errors: input.
[[nodiscard]] Value to_value(const FaultRecord& record);
[[nodiscard]] Result<FaultRecord> fault_record(const Value& value);

}  // namespace ordeal
