#pragma once
// Driver: the nemesis of a run: injects the faults it is given by a seeded schedule, proves and heals them.
//
// Every kind of fault has a lane (schedule.h), played by a thread of its own, so that several faults are in force at once
// and one that is slow to inject or heal delays no other. Each injection lives as fault.h describes. With
// `nemesis.quorum=keep` a lane waits while its fault, together with those in force and those that have waited longer,
// would leave no majority of nodes that can work (quorum.h); what it injects is the same, only later.
//
// Thread-safety: see Nemesis.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/runner/fault.h"
#include "harness/runner/nemesis.h"
#include "harness/runner/plan.h"

namespace ordeal {

struct DriverOptions {
  std::uint64_t seed = 0;
  double interval_s = 5;         // from the healing of a fault to the next of its kind
  double duration_s = 5;         // in force
  std::string ledger_path;       // ledger.jsonl in the run's directory
  std::string node_spec;         // Plan::nodes: how `ordeal heal` finds the nodes again
  std::string run;               // names the run on the nodes; empty: eight random hexadecimal digits
  bool keep_quorum = true;       // nemesis.quorum
  int dead_man_s = 3;            // nemesis.dead-man
  double step_timeout_s = 15;    // for preparing, and for injecting
  double confirm_timeout_s = 5;  // for observing an effect, and a healing
  double heal_timeout_s = 30;    // for healing one fault, retries included
};

// The options of the driver itself ("nemesis.quorum", …), to be declared beside those of the faults.
[[nodiscard]] std::vector<OptionSpec> nemesis_options();

// What a plan says about the nemesis. Options that nobody declared keep their defaults.
[[nodiscard]] DriverOptions driver_options(const Plan& plan, std::string ledger_path);

// Opens the ledger; touches no node. The cluster, target and options of `context` and the factories are borrowed and
// must outlive the nemesis. Errors: usage, when a fault does not apply to this target or cluster; io.
[[nodiscard]] Result<std::unique_ptr<Nemesis>> make_driver(DriverOptions options, const FaultContext& context,
                                                           std::vector<const FaultFactory*> faults);

}  // namespace ordeal
