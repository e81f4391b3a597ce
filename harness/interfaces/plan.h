#pragma once
// Plan: one run, fully resolved: what the command line and the campaign file said, with every default filled in and
// the origin of each value. Stored as plan.json. The same plan and the same seed give the same schedule.
//
// Thread-safety: a value type; not changed after it was made.

#include <cstdint>
#include <string>
#include <vector>

#include "base/options.h"
#include "base/value.h"

namespace ordeal {

struct Plan {
  std::string name;  // names the run's folder in the store; "<target>-<workload>" by default
  std::string target;
  std::string workload;
  std::vector<std::string> nemesis;  // names of faults; empty: none
  std::string nodes = "local:5";
  double time_limit_s = 60;
  double rate = 200;     // operations a second over all workers; 0: unlimited
  bool poisson = true;   // distances between operations: exponential, else fixed
  int concurrency = 10;  // workers
  std::uint64_t seed = 0;
  double op_timeout_s = 5;
  double nemesis_interval_s = 5;  // from the healing of one fault to the next injection
  double nemesis_duration_s = 5;  // how long each fault is in force
  double recovery_s = 30;         // how long the target may take to serve again after healing
  std::string store = "store";
  Options options;  // of target, workload and faults

  // Where each value came from, by the name of the flag: "default", "--rate", "campaign.toml:3".
  Value origins = Value::map();

  [[nodiscard]] Value to_value() const;  // what plan.json holds
  // Reads plan.json; options are declared by the caller beforehand and set from the file. Errors: input.
  [[nodiscard]] static Result<Plan> from_value(const Value& value, Options declared);
};

}  // namespace ordeal
