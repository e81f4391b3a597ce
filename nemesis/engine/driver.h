#pragma once
// Driver: the nemesis of a run: injects the faults it is given by a seeded schedule, proves and heals them.
//
// Every kind of fault has a lane (schedule.h), played by a thread of its own, so that several faults are in force at
// once and one that is slow to inject or heal delays no other. Each injection lives as fault.h describes. With
// `nemesis.quorum=keep` a lane waits while its fault, together with those in force and those that have waited longer,
// would leave no majority of nodes that can work (quorum.h); what it injects is the same, only later. A lane may wait
// for an event as well (trigger.h), and all lanes keep the quiet times.
//
// Thread-safety: see Nemesis.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/interfaces/fault.h"
#include "harness/interfaces/nemesis.h"
#include "harness/interfaces/plan.h"

namespace ordeal {

struct DriverOptions {
  std::uint64_t seed = 0;
  double interval_s = 5;           // from the healing of a fault to the next of its kind
  double duration_s = 5;           // in force
  std::string ledger_path;         // ledger.jsonl in the run's directory
  std::string node_spec;           // Plan::nodes: how `ordeal heal` finds the nodes again
  std::string run;                 // names the run on the nodes; empty: eight random hexadecimal digits
  std::string schedule = "auto";   // nemesis.schedule
  std::string timeline;            // nemesis.timeline
  std::string trigger;             // nemesis.trigger
  bool swarm = false;              // nemesis.swarm
  double quiet_s = 0;              // nemesis.quiet
  double quiet_every_s = 0;        // nemesis.quiet-every
  double quiet_end_s = 0;          // nemesis.quiet-end
  double time_limit_s = 0;         // of the main phase; 0: not known
  bool skip_inapplicable = false;  // nemesis.inapplicable
  bool keep_quorum = true;         // nemesis.quorum
  int dead_man_s = 3;              // nemesis.dead-man
  // nemesis.patience multiplies these.
  double step_timeout_s = 15;    // for preparing, and for injecting
  double confirm_timeout_s = 5;  // for observing an effect, and a healing
  double heal_timeout_s = 30;    // for healing one fault, three tries of which each may take a third
};

// The options of the driver itself ("nemesis.quorum", …), to be declared beside those of the faults.
[[nodiscard]] std::vector<OptionSpec> nemesis_options();

// What a plan says about the nemesis. Options that nobody declared keep their defaults.
[[nodiscard]] DriverOptions driver_options(const Plan& plan, std::string ledger_path);

// The faults that a plan needs: those that --nemesis names (words, also "all" and "none"; nullptr: it was not given)
// and those of a timeline (nemesis.timeline; empty: none), and whether those that do not apply may be left out ("all"
// says so). Errors: usage.
struct WantedFaults {
  std::vector<std::string> names;
  bool only_applicable = false;
};
[[nodiscard]] Result<WantedFaults> wanted_faults(const std::vector<std::string>* named, const std::string& timeline);

// Looks whether the nodes have what the faults need, and opens the ledger; changes nothing on the nodes. The cluster,
// target and options of `context` and the factories are borrowed and must outlive the nemesis. Errors: of nodes that
// cannot be asked; usage, when a fault or a trigger does not apply to this target or cluster, or an option makes no
// sense; io.
[[nodiscard]] Result<std::unique_ptr<Nemesis>> make_driver(DriverOptions options, const FaultContext& context,
                                                           std::vector<const FaultFactory*> faults);

}  // namespace ordeal
