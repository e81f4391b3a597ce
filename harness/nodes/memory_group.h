#pragma once
// Control groups that limit the memory of local nodes, so that none of them can take all of the machine's: what its
// programs hold and what it writes to file systems in memory. One group for a cluster, within it one for each node.
//
// Version 1 and 2 of control groups. Where none can be made (no memory controller, a container that may not) nodes have
// no limit. Thread-safety: functions without state.

#include <cstdint>
#include <string>

namespace ordeal::nodes {

// The group of a cluster, a directory; empty: none can be made. Ours around it are kept to: it is made beside or
// beneath that of this process, whose limits hold for it.
[[nodiscard]] std::string make_memory_group(const std::string& cluster);
// The group of a node in it, with its limit in bytes; empty: it could not be made.
[[nodiscard]] std::string make_node_group(const std::string& group, const std::string& node, std::size_t limit);
// Moves this process, and what it starts later, into the group. False: the kernel refused.
bool join_memory_group(const std::string& group);
// Of a node's group: how many of its processes the kernel has killed because the limit was reached.
[[nodiscard]] std::int64_t killed_in_memory_group(const std::string& group);
// The group of a cluster and those in it. Waits two seconds at most for processes that are ending; where one is left
// the group stays.
void remove_memory_group(const std::string& group);

// Half of this machine's memory.
[[nodiscard]] std::size_t default_node_memory();

}  // namespace ordeal::nodes
