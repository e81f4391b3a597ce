#pragma once
// Which runs may be played at the same time on one machine. Runs whose nodes are made for them (local:N, docker:N) have
// networks, files and processes of their own; what they have in common are processors, memory and disks. So a run is
// alone when
//
//   it measures or takes away what others would disturb: `slow` is confirmed by how much processor time a target gets,
//   and `disk-full` by a balloon fills the file system that the nodes of other runs are on, too;
//   it goes as fast as it can (rate "unlimited"), and would leave others nothing, and they it.
//
// Machines of one's own, and systems that are reached by address, serve one run at a time; runs on disjoint ones may be
// played side by side. The memory target shares nothing.
//
// Thread-safety: value types and pure functions; needs_of() may read an inventory.

#include <set>
#include <string>
#include <vector>

#include "harness/interfaces/plan.h"

namespace ordeal {

struct MachineNeeds {
  std::string alone;            // why nothing may be beside it; empty: something may
  std::set<std::string> taken;  // what it has for itself: "host n1", "network /proc/1/ns/net", "the system of process"
};

[[nodiscard]] MachineNeeds needs_of(const Plan& plan);
[[nodiscard]] bool may_share(const MachineNeeds& a, const MachineNeeds& b);

// Which of these runs, numbered from 1, have to wait for each other, and why, a line each: "one at a time: runs 1 and 3
// (host n1)", "alone: run 2 (it goes as fast as the machine can)". Of a single run nothing is said.
[[nodiscard]] std::vector<std::string> told_turns(const std::vector<MachineNeeds>& runs);

}  // namespace ordeal
