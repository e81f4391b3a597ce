#pragma once
// The nemesis of a plan: its faults from the catalogue, played by the engine. Thread-safety: see Nemesis.

#include <memory>
#include <string>

#include "harness/interfaces/nemesis.h"
#include "harness/interfaces/plan.h"
#include "harness/interfaces/target.h"

namespace ordeal {

// Null when the plan has no faults. Borrows all but the path, which is ledger.jsonl in the run's directory. Errors:
// usage, naming a fault or an option; of nodes that lack something or cannot be asked; io, of the ledger.
[[nodiscard]] Result<std::unique_ptr<Nemesis>> make_nemesis(const Plan& plan, std::string ledger_path, Cluster& cluster,
                                                            Target& target);

// What lets the target's processes stand still on all nodes from the beginning of its main phase until that is stopped:
// the fault `pause`, with its undo scripts in the ledger and on the nodes like any other. Null when the target has no
// processes that can be held. Borrows as above. Errors: as above.
[[nodiscard]] Result<std::unique_ptr<Nemesis>> make_freezer(const Plan& plan, std::string ledger_path, Cluster& cluster,
                                                            Target& target);

}  // namespace ordeal
