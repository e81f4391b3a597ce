#pragma once
// Recovery: how long after the healing of each fault the clients succeeded again, measured from the history alone and
// judged against a bound.
//
// A node has served again when an operation of one of its clients ends ok after the fault was healed (the event
// "healed" of the nemesis, harness/interfaces/nemesis.h); a fault has been recovered from when all nodes have. The
// anomaly "slow-recovery" needs, for a node:
//
//   no ok operation of its clients between the healing and the bound;
//   clients that tried: operations begun between the healing and the bound that ended otherwise or not at all, one of
//   them under way in the last quarter of that time. A client that sleeps proves nothing, nor does one that still waits
//   for the answer to a request of before, which the fault may have swallowed;
//   no other fault in force from the healing to the bound, since its effect would be taken for this one's.
//
// A healing after which one of the latter two does not hold is measured, but not judged. Options (CheckOptions::extra):
//   recovery.bound_s       seconds; absent or 0: nothing is judged
//   recovery.worker_nodes  the node of worker i, a list of names; absent: all clients count as one node
// Unknown, when there is a bound and no healing could be judged. Thread-safety: stateless.

#include <memory>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> recovery_checker();

// The anomalies that it names, and the run's judgement of a node that does not serve again.
[[nodiscard]] std::vector<AnomalyEntry> recovery_anomalies();

}  // namespace ordeal
