#pragma once
// Cgroups: moves processes of a node into a control group made for one fault, and back into their own.
//
// Used are the freezer of version 2 (cgroup.freeze, Linux 5.2) and the processor quota of either version (cpu.max,
// cpu.cfs_quota_us). Version 1's freezer is not: what it holds cannot even be killed. A group of ours is a child of the
// processes' own, so that their other limits go on to hold; only for a quota in version 2 it is a sibling, since there
// groups with processes cannot have children that are limited. Its name is "ordeal-" and the fault's id.
//
// Everything is POSIX shell over what is mounted on the node. Thread-safety: pure functions that make scripts and read
// their output.

#include <string>
#include <string_view>
#include <vector>

#include "nemesis/node/process_state.h"

namespace ordeal {

enum class CgroupUse { freeze, quota };

// What becomes of the processes of one group.
struct CgroupMove {
  int version = 2;
  std::string own;   // the folder of their group
  std::string ours;  // of the one that they are moved to
  std::vector<int> pids;
};

struct CgroupPlan {
  std::vector<CgroupMove> moves;  // one for each group in which one of the processes is
  std::string problem;            // not empty: this node cannot do it, and why
  [[nodiscard]] bool possible() const { return problem.empty() && !moves.empty(); }
};

// Prints where the processes are and whether groups of ours can be made there; changes nothing.
[[nodiscard]] std::string cgroup_find_script(CgroupUse use, std::string_view id,
                                             const std::vector<OsProcess>& processes);
[[nodiscard]] CgroupPlan parse_cgroups(const std::string& output);

// Moves those processes that still are who they were, and all their threads, then freezes them.
[[nodiscard]] std::string freeze_script(const CgroupPlan& plan, const std::vector<OsProcess>& processes);
// The same, with a quota for all of them together, in percent of one processor.
[[nodiscard]] std::string quota_script(const CgroupPlan& plan, const std::vector<OsProcess>& processes,
                                       std::int64_t percent, std::int64_t period_ms);

// The body of an undo script: thaws, moves whatever is in our groups back, what was forked there too, and removes them.
[[nodiscard]] std::string cgroup_leave_script(const CgroupPlan& plan);

// Prints a line for each thing of ours that is still there: a group, or one of `processes` in it. Nothing: all is
// undone.
[[nodiscard]] std::string cgroup_look_script(const CgroupPlan& plan, std::string_view id,
                                             const std::vector<OsProcess>& processes);

}  // namespace ordeal
