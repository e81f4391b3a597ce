#pragma once
// The same step on several nodes at once: one thread a node, each under the deadline of its command, so that a dead
// node costs the others nothing. Thread-safety: may be called from several threads.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"

namespace ordeal {

// A script for root that may be run twice without harm and must be over by `deadline` (but has 100 ms at least).
[[nodiscard]] Command root_script(std::string script, Deadline deadline);

// Calls `step` for each of `nodes` (indices), all at once; the results are in the order of `nodes`.
[[nodiscard]] std::vector<Result<std::string>> on_each(const std::vector<std::size_t>& nodes,
                                                       const std::function<Result<std::string>(std::size_t)>& step);

// Runs one script per node; scripts[i] goes to nodes[i]. A non-zero exit code is an error.
[[nodiscard]] std::vector<Result<std::string>> run_scripts(const Cluster& cluster,
                                                           const std::vector<std::size_t>& nodes,
                                                           const std::vector<std::string>& scripts, Deadline deadline);

// The first error, or nothing; further ones are counted in its message.
[[nodiscard]] Result<void> all_done(const std::vector<Result<std::string>>& results);

// The index of the node of that name. Errors: not_found.
[[nodiscard]] Result<std::size_t> node_index(const Cluster& cluster, std::string_view name);

// The names of nodes given by index.
[[nodiscard]] std::vector<std::string> node_names(const Cluster& cluster, const std::vector<std::size_t>& nodes);

}  // namespace ordeal
