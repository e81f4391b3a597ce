#pragma once
// Limits: takes file descriptors or memory away from the processes of a target, by lowering their soft limits to what
// they use (prlimit(2)). The limits they had are kept in FOLDER/limits, and what a process has forked meanwhile, and
// which has inherited the low limit, is found by its descent.

#include <cstdint>
#include <string>
#include <vector>

namespace ordeal::agent {

// `resource`: "files" (spare: further descriptors) or "memory" (spare: further bytes of address space).
int start_limit_fault(const std::string& folder, const std::string& resource, std::uint64_t spare,
                      const std::vector<int>& processes);
int undo_limit_fault(const std::string& folder);

}  // namespace ordeal::agent
