#pragma once
// Disk program: how a node gets the disk (nemesis/programs/disk) under its target's data, and how faults speak to it.
//
// It is a groundwork (fault.h): laid once for a run, when a fault wants it, over each of the target's data directories.
// Its files lie in the folder of the groundwork, "<run>-disk". Undone, the directories show the same files as before,
// without it. Thread-safety: pure functions, and functions that talk to nodes.

#include <cstdint>
#include <string>
#include <vector>

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] const Groundwork& disk_groundwork();

// For FaultFactory::inapplicable of a fault that works on the target's data: empty, or why it does not know where that
// is.
[[nodiscard]] std::string disk_problem(const FaultContext& context);

// FaultFactory::needs of a fault that works with the disk.
[[nodiscard]] std::vector<NodeNeed> disk_needs(const Options& options);

// A script that says `words` to the node's disks (nemesis/programs/disk/control.h) and prints their answers. As part of
// an undo script it succeeds when the disks are not there any more. `id` is that of any fault of the run.
[[nodiscard]] std::string tell_disks_script(std::string_view id, const std::vector<std::string>& directories,
                                            const std::vector<std::string>& words);
// Says it. Errors: remote, also when there is no disk.
[[nodiscard]] Result<std::string> tell_disks(Node& node, std::string_view id,
                                             const std::vector<std::string>& directories,
                                             const std::vector<std::string>& words, Deadline deadline);

// A power failure of all of the node's disks: prints for each what "ordeal-disk lose" (nemesis/programs/disk/main.cc)
// says, KEY=NUMBER.
[[nodiscard]] Result<std::string> lose_unsynced(Node& node, std::string_view id,
                                                const std::vector<std::string>& directories, const std::string& kind,
                                                std::uint64_t seed, Deadline deadline);

// What nemesis/programs/disk/probe.h finds in a directory of the node.
struct DiskProbe {
  long attempts = 0;
  long hits = 0;
  long slowest_ms = 0;
  std::string error;  // the first one: "EIO", or "-"
};
struct ProbeLimits {
  long attempts = 0;
  long for_ms = 0;
  long slow_ms = 0;  // a sync that takes longer is a hit
};
[[nodiscard]] Result<DiskProbe> probe_disk(Node& node, std::string_view id, const std::string& directory,
                                           const std::string& kind, const ProbeLimits& limits, Deadline deadline);

}  // namespace ordeal
