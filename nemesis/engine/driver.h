#pragma once
// Driver: the nemesis of a run: injects the faults it is given by a seeded schedule, proves and heals them.
//
// Every kind of fault has a lane (lanes.h, schedule.h), played by a thread of its own, so that several faults are in
// force at once and one that is slow to inject or heal delays no other. Each injection is a Life (life.h). With
// `nemesis.quorum=keep` a lane waits while its fault, together with those in force and those that have waited longer,
// would leave no majority of nodes that can work (roster.h); what it injects is the same, only later. A lane may wait
// for an event as well (trigger.h), and all lanes keep the quiet times. What faults need under the target is laid
// before it starts (groundworks.h).
//
// Thread-safety: see Nemesis.

#include <memory>
#include <vector>

#include "harness/interfaces/fault.h"
#include "harness/interfaces/nemesis.h"
#include "nemesis/engine/driver_options.h"

namespace ordeal {

// Looks with `missing` whether the nodes have what the faults need, and opens the ledger; changes nothing on the nodes.
// The cluster, target and options of `context` and the factories are borrowed and must outlive the nemesis. Errors: of
// nodes that cannot be asked; usage, when a fault or a trigger does not apply to this target or cluster, or an option
// makes no sense; io.
[[nodiscard]] Result<std::unique_ptr<Nemesis>> make_driver(DriverOptions options, const FaultContext& context,
                                                           const std::vector<const FaultFactory*>& faults,
                                                           const MissingNeeds& missing);

}  // namespace ordeal
