#pragma once
// Lanes: what a driver plays, resolved from its options: which faults, each under which options, at which times,
// waiting for what, and what was left out and why.
//
// Thread-safety: immutable after make_lanes().

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/interfaces/fault.h"
#include "nemesis/engine/driver_options.h"
#include "nemesis/engine/schedule.h"
#include "nemesis/engine/trigger.h"

namespace ordeal {

struct Lane {
  const FaultFactory* fault = nullptr;
  // The plan's, or those of an entry of the timeline.
  std::shared_ptr<const Options> options;
  std::optional<Trigger> trigger;
  double after_s = 0;  // from the trigger to the injection
  // The phase in which it is played.
  [[nodiscard]] RunPhase phase() const {
    return trigger && trigger->kind == Trigger::Kind::phase ? phase_of(*trigger) : RunPhase::main;
  }
};

struct Lanes {
  std::string kind;  // random, periodic, scripted
  std::vector<Lane> all;
  Schedule schedule;  // of as many lanes
  Quiet quiet;
  std::vector<Intensity> intensities;                             // of a swarm, one for each lane; else empty
  std::vector<std::string> left_out;                              // by the swarm
  std::vector<std::pair<std::string, std::string>> inapplicable;  // and why

  // The event "plan" of the history (harness/interfaces/nemesis.h).
  [[nodiscard]] Value describe() const;
};

// Borrows the factories and, unless a timeline changes them, the context's options. `missing` looks on the nodes for
// what the faults need there. Errors: usage; of nodes that cannot be asked.
[[nodiscard]] Result<Lanes> make_lanes(const DriverOptions& options, const FaultContext& context,
                                       const std::vector<const FaultFactory*>& faults, const MissingNeeds& missing);

}  // namespace ordeal
