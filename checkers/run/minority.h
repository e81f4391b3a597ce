#pragma once
// Minority writes: a node that a partition has cut off from a majority must refuse writes, since what it acknowledges
// then is lost, or a second truth, when the cut heals. Judged from the history alone, whatever the workload.
//
// The anomaly "minority-write" is an operation that changes something, by a client of such a node, invoked when the cut
// had been in force for longer than the bound (in which the node may still take itself for the leader, or hold a lease)
// and acknowledged before the healing began. The cut is in force from the observation of its effect ("confirmed") to
// "heal". Only cuts that tell where they are count: not those of some ports only or that come and go, none that ended
// before its time (an "error"); two nodes are cut off when each drops what the other sends, and in a minority are those
// that, also by way of others, reach no more than half of the nodes.
//
// Options (CheckOptions::extra):
//   minority.bound_s       seconds; absent or 0: nothing is judged
//   minority.worker_nodes  the node of worker i, a list of names
// Unknown, when there is a bound and no client of a node in a minority tried to change anything after it.
// Thread-safety: stateless.

#include <memory>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> minority_checker();

// The anomaly that it names.
[[nodiscard]] std::vector<AnomalyEntry> minority_anomalies();

}  // namespace ordeal
