#pragma once
// DriverOptions: how the faults of a run come: by which schedule, waiting for what, and how long their steps may take.
//
// The options of a plan that say so ("nemesis.quorum", …) and how they are read are one table in driver_options.cc.
// Thread-safety: value type; pure functions.

#include <cstdint>
#include <string>
#include <vector>

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

// To be declared beside the options of the faults.
[[nodiscard]] std::vector<OptionSpec> nemesis_options();

// What a plan says about the nemesis. Options that nobody declared keep their defaults.
[[nodiscard]] DriverOptions driver_options(const Plan& plan, std::string ledger_path);

}  // namespace ordeal
