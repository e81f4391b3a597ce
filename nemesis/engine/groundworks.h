#pragma once
// Groundworks: what the faults of a run need under the target (Groundwork in harness/interfaces/fault.h), laid before
// the target starts and taken away when it has ended.
//
// Each is laid once, whichever faults want it, and undone like a fault. Thread-safety: one thread at a time; the run
// itself lies between set_up() and tear_down().

#include <vector>

#include "nemesis/engine/lanes.h"
#include "nemesis/engine/safety_net.h"

namespace ordeal {

class Groundworks {
 public:
  // Borrows all.
  Groundworks(SafetyNet& net, Cluster& cluster, Target& target, const DriverOptions& options)
      : net_(net), cluster_(cluster), target_(target), options_(options) {}

  // Errors: of a groundwork that could not be laid; what was laid by then stays until tear_down().
  [[nodiscard]] Result<void> set_up(const Lanes& lanes, Deadline deadline);
  // Takes away what was laid, the last first. Idempotent. Errors: what the nodes say.
  [[nodiscard]] Result<void> tear_down(Deadline deadline);

 private:
  [[nodiscard]] Result<void> lay(const Groundwork& groundwork, const Options& options, Deadline deadline);

  SafetyNet& net_;
  Cluster& cluster_;
  Target& target_;
  const DriverOptions& options_;
  std::vector<Undoing> laid_;
};

}  // namespace ordeal
