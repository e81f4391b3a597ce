#pragma once
// Environment: what is known of a run beside its plan and its history: when and on what it ran, how to repeat it, which
// nodes its workers talked to, how its clients fared. Kept as environment.json; whoever judges the run reads it there.
//
// A file of another version may lack any part, and a killed controller leaves no file or an old one: what is missing is
// empty. Thread-safety: a value type.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/value.h"
#include "harness/interfaces/plan.h"
#include "harness/interfaces/target.h"

namespace ordeal {

struct Environment {
  std::string started_utc;         // "2026-01-31T09:00:00Z"
  std::string command;             // what repeats the run
  std::string log_pattern;         // a line of a log that matches is an anomaly; empty: nothing is looked for
  std::vector<std::string> nodes;  // names, in the order of the cluster

  // Versions and facts, for the report.
  std::string ordeal_version;
  struct Host {
    std::string kernel;
    std::int64_t processors = 0;
    std::int64_t memory_mib = 0;
  };
  std::optional<Host> host;
  std::optional<Value> target;  // what each node says of its system, by the node's name

  std::optional<Value> outcome;  // RunOutcome::to_value()
  std::optional<Error> failure;  // why the run itself failed

  // The node that each worker talks to; empty for a target without nodes.
  [[nodiscard]] std::vector<std::string> worker_nodes(int workers) const;
  // Versions and facts as the report shows them.
  [[nodiscard]] Value facts() const;

  [[nodiscard]] Value to_value() const;  // what environment.json holds
  [[nodiscard]] static Environment from_value(const Value& value);
};

// Of a run that is about to begin, on this machine. `target` is not asked yet.
[[nodiscard]] Environment environment_of(const Plan& plan, const Target& target, const Cluster& cluster);

}  // namespace ordeal
